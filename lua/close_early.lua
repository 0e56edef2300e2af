-- close_early: from now on whoever joins comes after all who have come before, whose order is still to be drawn. A room
-- that was closed before their order was drawn goes on with that, if it is to open after all.
--
-- KEYS  room early drawn |
-- ARGV  reopen |                                       1: also one that is over
-- REPLY noroom
--       ok status early                                early: how many were early; status: what the room is from now on
local room_key, early_key, drawn_key = KEYS[1], KEYS[2], KEYS[3]
-- @include waiting

local early, drawn = redis.call('ZCARD', early_key) - 1, redis.call('ZCARD', drawn_key) - 1
local over = room.status == 'closed' or room.status == 'sold_out'
if room.status == 'early' or ARGV[1] == '1' and over and early + drawn > 0 then
  if early_places == 0 then
    early_places, last_place = early, early
  end
  redis.call('HSET', room_key, 'status', 'drawing', 'next', digits(last_place), 'early', digits(early_places))
  return {'ok', 'drawing', early_places}
end
return {'ok', room.status, early_places}
