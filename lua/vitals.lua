-- vitals: how a show is, in a few numbers, for those who run it.
--
-- KEYS  meta seats due outbox | pool_due (one a pool)
-- ARGV  |
-- REPLY noshow
--       ok epoch version seats holds due unread          holds: seats under live holds; due: run out and not yet swept;
--                                                       a claim on a pool counts as one in both
local FIXED_KEYS = 4
local meta_key, seats_key, due_key, outbox_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- @include clock
-- @include integer

local facts = redis.call('HMGET', meta_key, 'status', 'epoch', 'version')
if not facts[1] then
  return {'noshow'}
end
local due, holds = 0, 0
local function count(key)
  due = due + redis.call('ZCOUNT', key, '-inf', '(' .. digits(now))
  holds = holds + redis.call('ZCOUNT', key, digits(now), '(+inf')
end
count(due_key)
for place = FIXED_KEYS + 1, #KEYS do
  count(KEYS[place])
end
return {'ok', tonumber(facts[2]), tonumber(facts[3]), redis.call('HLEN', seats_key), holds, due,
        redis.call('XLEN', outbox_key)}
