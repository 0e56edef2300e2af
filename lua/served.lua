-- served: how far the line has been served: small, the same for everybody, and all that a client needs to know how far
-- off it is at most.
--
-- KEYS  room queue passes |
-- ARGV  |
-- REPLY noroom
--       ok status now_ms served moved span_ms poll_ms behind length live early admitted
--                                                      behind: places up to the one served that wait still
local room_key, queue_key, passes_key = KEYS[1], KEYS[2], KEYS[3]
-- @include room

local behind = redis.call('ZCOUNT', queue_key, '-inf', digits(served))
local live = redis.call('ZCOUNT', passes_key, digits(now), '(+inf')
local more = redis.call('HMGET', room_key, 'admitted')
local reply = {'ok', serving()}
for _, value in ipairs({behind, redis.call('ZCARD', queue_key) - 1, live, early_places, integer(more[1], 0, 2 ^ 49)}) do
  reply[#reply + 1] = value
end
return reply
