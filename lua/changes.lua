-- changes: the batches of changes after a version, so that a snapshot read in pieces can be brought to one version; and
-- the counts of the pools at the version reached.
--
-- KEYS  meta changes pools | pool_due (one a pool)
-- ARGV  epoch version count |
-- REPLY noshow
--       ok status epoch version now_ms opens_ms closes_ms names pools, then up to count entries (id, (seat field)...)
--                                                       left until the sale opens, closes, or -1
local FIXED_KEYS = 3
local meta_key, changes_key, pools_key = KEYS[1], KEYS[2], KEYS[3]
-- @include clock
-- @include integer
-- @include times
-- @include counts

local facts = redis.call('HMGET', meta_key, 'status', 'epoch', 'version')
if not facts[1] then
  return {'noshow'}
end
local from = digits(integer(ARGV[1], 0, 2 ^ 40)) .. '-' .. digits(integer(ARGV[2], 0, 2 ^ 49) + 1)
local entries = redis.call('XRANGE', changes_key, from, '+', 'COUNT', digits(integer(ARGV[3], 1, 1000)))
local status, opens, closes = sale_of(facts[1])
local names, pools = counts_of_pools()
local left_open, left_close = left_until(opens), left_until(closes)
return {'ok', status, tonumber(facts[2]), tonumber(facts[3]), now, left_open, left_close, names, pools, unpack(entries)}
