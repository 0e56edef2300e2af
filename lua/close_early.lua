-- close_early: from now on whoever joins comes after all who have come before, whose order is still to be drawn. A room
-- that was closed before their order was drawn goes on with that, if it is to open after all (reopen). A pump asks only
-- for a room whose time to open has come (due), which whatever is done by hand forgets.
--
-- KEYS  room early drawn |
-- ARGV  reopen due |                                   1: also one that is over; 1: only if its time has come
-- REPLY noroom
--       undue status                                   it has not, or it was changed by hand; nothing was written
--       ok status early                                early: how many were early; status: what the room is from now on
local room_key, early_key, drawn_key = KEYS[1], KEYS[2], KEYS[3]
-- @include waiting

local early, drawn = redis.call('ZCARD', early_key) - 1, redis.call('ZCARD', drawn_key) - 1
if ARGV[2] == '1' and (opens == 0 or now < opens) then
  return {'undue', room.status}
end
local over = room.status == 'closed' or room.status == 'sold_out'
if room.status == 'early' or ARGV[1] == '1' and over and early + drawn > 0 then
  if early_places == 0 then
    early_places, last_place = early, early
  end
  redis.call('HSET', room_key, 'status', 'drawing', 'next', digits(last_place), 'early', digits(early_places))
  return {'ok', 'drawing', early_places}
end
return {'ok', room.status, early_places}
