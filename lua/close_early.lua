-- close_early: from now on whoever joins comes after all who have come before, whose order is still to be drawn.
--
-- KEYS  room early |
-- ARGV  |
-- REPLY noroom
--       ok status early                                early: how many were early; status: what the room is from now on
local room_key, early_key = KEYS[1], KEYS[2]
-- @include waiting

local early = redis.call('ZCARD', early_key) - 1
-- A room that was closed before it was ever opened, while people were early, is still to be drawn.
if room.status == 'early' or (early > 0 and room.status ~= 'drawing') then
  redis.call('HSET', room_key, 'status', 'drawing', 'next', digits(early), 'early', digits(early))
  return {'ok', 'drawing', early}
end
return {'ok', room.status, integer(redis.call('HMGET', room_key, 'early')[1], 0, MOST_PLACES)}
