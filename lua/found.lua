-- found: the last step of warming. Makes a new show, closed, or brings the plan and settings of an old one up to date.
--
-- KEYS  meta seats due changes outbox plan retired passes grants queue |
-- ARGV  digest plan seats max_hold_ms outbox changes_cap limits checkout |  outbox: 1 or 0; limits: can be nothing
-- REPLY retiring
--       ok new version                                  new: 1 for a show that was not there
--       surplus seats                                   Redis has more seats than the plan; nothing was written
--       late                                            limits, after holds that no list tells of; nothing was written
--       begun                                           another checkout, after holds; nothing was written
local meta_key, seats_key, due_key, changes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local outbox_key, plan_key, retired_key, passes_key, grants_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local queue_key = KEYS[10]
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
local facts = redis.call('HMGET', meta_key, 'version', 'epoch', 'limits', 'fence', 'checkout')
local limits = ARGV[7] -- seats a holder may have; then a line a category: its number (of a pool p), how many, its name
if limits == '' and facts[3] then
  limits = '500' -- a show that keeps lists goes on keeping them, and a list has its bound
elseif limits ~= '' then
  integer(string.match(limits, '^[^\n]*'), 1, 500)
end
if limits ~= '' and facts[1] and not facts[3] and facts[4] ~= '0' then
  return {'late'}
end
local checkout = ARGV[8]
if checkout ~= 'fast' and checkout ~= 'strict' then
  error('SEATLOCK an argument is no checkout')
elseif facts[1] and (facts[5] or 'fast') ~= checkout and facts[4] ~= '0' then
  return {'begun'}
end
redis.call('ZCARD', due_key)
redis.call('XLEN', outbox_key)
redis.call('ZCARD', passes_key)
redis.call('ZCARD', queue_key)
redis.call('HLEN', grants_key)

local epoch, version = facts[2] or '1', integer(facts[1] or '0', 0, 2 ^ 49) + 1
check_stream(epoch, version)
redis.call('SET', plan_key, ARGV[2])
if not facts[1] then
  redis.call('HSET', meta_key, 'status', 'closed', 'epoch', epoch, 'fence', '0')
end
redis.call('HSET', meta_key, 'version', digits(version), 'plan', ARGV[1], 'max_hold', digits(max_hold),
  'outbox', ARGV[5], 'changes_cap', digits(cap), 'checkout', checkout)
if limits ~= '' then
  redis.call('HSET', meta_key, 'limits', limits)
end
-- Sentinels keep keys from ever being empty, hence absent: no seat id and no holder is empty. While its slot moves in a
-- cluster, a script that declares a key that is not there gets no answer, and confirm declares them on every show.
redis.call('ZADD', due_key, '+inf', '')
redis.call('ZADD', passes_key, '+inf', '')
redis.call('ZADD', queue_key, '+inf', '')
redis.call('HSET', grants_key, '', '')
redis.call('XADD', changes_key, 'MAXLEN', '~', digits(cap), epoch .. '-' .. digits(version), '', 'plan')
if redis.call('EXISTS', outbox_key) == 0 then
  redis.call('XGROUP', 'CREATE', outbox_key, 'relay', '0', 'MKSTREAM')
end
return {'ok', facts[1] and 0 or 1, version}
