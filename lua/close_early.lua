-- close_early: from now on whoever joins comes after all who have come before, whose order is still to be drawn.
--
-- KEYS  room early |
-- ARGV  |
-- REPLY noroom
--       ok status early                                early: how many were early; status: what the room is from now on
local room_key, early_key = KEYS[1], KEYS[2]
-- @include room

if room.status == 'early' then
  local early = redis.call('ZCARD', early_key) - 1
  redis.call('HSET', room_key, 'status', 'drawing', 'next', digits(early), 'early', digits(early))
  return {'ok', 'drawing', early}
end
return {'ok', room.status, integer(redis.call('HMGET', room_key, 'early')[1], 0, MOST_PLACES)}
