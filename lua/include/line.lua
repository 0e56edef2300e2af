-- @include passes
-- Who of the holders of a batch has a place. A place is a number, drawn once and the score of its holder in the queue.
local queued = redis.call('ZMSCORE', queue_key, unpack(holders))
local early = redis.call('ZMSCORE', early_key, unpack(holders))
local drawn = redis.call('ZMSCORE', drawn_key, unpack(holders))
local undrawn = redis.call('ZCARD', early_key) + redis.call('ZCARD', drawn_key) - 2 -- of the early, all in all
