-- vitals: how a show is, in a few numbers, for those who run it.
--
-- KEYS  meta seats due outbox |
-- ARGV  |
-- REPLY noshow
--       ok epoch version seats holds due unread          holds: seats under live holds; due: run out and not yet swept
local meta_key, seats_key, due_key, outbox_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- @include clock
-- @include integer

local facts = redis.call('HMGET', meta_key, 'status', 'epoch', 'version')
if not facts[1] then
  return {'noshow'}
end
local due = redis.call('ZCOUNT', due_key, '-inf', '(' .. digits(now))
local holds = redis.call('ZCOUNT', due_key, digits(now), '(+inf')
return {'ok', tonumber(facts[2]), tonumber(facts[3]), redis.call('HLEN', seats_key), holds, due,
        redis.call('XLEN', outbox_key)}
