-- served: how far the line has been served: small, the same for everybody, and all that a client needs to know how far
-- off it is at most.
--
-- KEYS  room queue passes |
-- ARGV  |
-- REPLY noroom
--       ok behind length live early admitted status now_ms served slow fast people poll_ms opens_ms
--                                                      behind: places up to the one served that wait still
local room_key, queue_key, passes_key = KEYS[1], KEYS[2], KEYS[3]
-- @include waiting

local behind = redis.call('ZCOUNT', queue_key, '-inf', digits(served))
local live = redis.call('ZCOUNT', passes_key, digits(now), '(+inf')
local admitted = integer(redis.call('HMGET', room_key, 'admitted')[1], 0, 2 ^ 49)
return {'ok', behind, redis.call('ZCARD', queue_key) - 1, live, early_places, admitted, serving()}
