-- found: the last step of warming. Makes a new show, closed, or brings the plan and settings of an old one up to date.
--
-- KEYS  meta seats due changes outbox plan retired |
-- ARGV  digest plan seats max_hold_ms outbox changes_cap |          outbox: 1 or 0
-- REPLY retiring
--       ok new version                                  new: 1 for a show that was not there
--       surplus seats                                   Redis has more seats than the plan; nothing was written
local meta_key, seats_key, due_key, changes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local outbox_key, plan_key, retired_key = KEYS[5], KEYS[6], KEYS[7]
-- @include integer
-- @include stream

if redis.call('EXISTS', retired_key) == 1 then
  return {'retiring'}
end
local seats = redis.call('HLEN', seats_key)
local planned = integer(ARGV[3], 0, 10 ^ 7)
local max_hold, cap = integer(ARGV[4], 1, 86400000), integer(ARGV[6], 1, 10 ^ 7)
if seats ~= planned then
  return {'surplus', seats}
end
local facts = redis.call('HMGET', meta_key, 'version', 'epoch')
redis.call('ZCARD', due_key)
redis.call('XLEN', outbox_key)

local epoch, version = facts[2] or '1', integer(facts[1] or '0', 0, 2 ^ 49) + 1
check_stream(epoch, version)
redis.call('SET', plan_key, ARGV[2])
if not facts[1] then
  redis.call('HSET', meta_key, 'status', 'closed', 'epoch', epoch, 'fence', '0', 'checkout', 'fast')
end
redis.call('HSET', meta_key, 'version', digits(version), 'plan', ARGV[1], 'max_hold', digits(max_hold),
  'outbox', ARGV[5], 'changes_cap', digits(cap))
-- The sentinel keeps the sorted set from ever being empty, hence absent; seat ids are never empty.
redis.call('ZADD', due_key, '+inf', '')
redis.call('XADD', changes_key, 'MAXLEN', '~', digits(cap), epoch .. '-' .. digits(version), '', 'plan')
if redis.call('EXISTS', outbox_key) == 0 then
  redis.call('XGROUP', 'CREATE', outbox_key, 'relay', '0', 'MKSTREAM')
end
return {'ok', facts[1] and 0 or 1, version}
