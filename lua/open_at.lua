-- open_at: notes when a waiting room is to open, or that no time is set (at_ms 0). A script cannot draw the order of
-- the early by itself: the pumps open the room when the time comes, if it is early, in its draw, or paused then.
--
-- KEYS  room |
-- ARGV  at_ms |
-- REPLY noroom
--       past status                                    the time has passed; nothing was written
--       over status                                    no pump opens a room that is like this; nothing was written
--       ok status
local room_key = KEYS[1]
-- @include waiting

local at = integer(ARGV[1], 0, 2 ^ 49)
if at > 0 and at <= now and digits(at) ~= room.opens then -- a request that is repeated late is no mistake
  return {'past', room.status}
end
if at > 0 and room.status ~= 'early' and room.status ~= 'drawing' and room.status ~= 'paused' then
  return {'over', room.status}
end
if digits(at) ~= room.opens then
  redis.call('HSET', room_key, 'opens', digits(at))
end
return {'ok', room.status}
