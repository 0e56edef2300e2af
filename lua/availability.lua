-- availability: the states of the seats asked for, and the counts of the pools, at one version of the show.
--
-- KEYS  meta seats pools | pool_due (one a pool)
-- ARGV  | seat
-- REPLY noshow
--       ok status plan epoch version now_ms opens_ms closes_ms channels names pools, then one field of `seats` a seat
--                                                       '' where unknown; left until the sale opens, closes, or -1
local FIXED_KEYS = 3
local meta_key, seats_key, pools_key = KEYS[1], KEYS[2], KEYS[3]
-- @include clock
-- @include times
-- @include counts

local facts = redis.call('HMGET', meta_key, 'status', 'plan', 'epoch', 'version', 'channels')
if not facts[1] then
  return {'noshow'}
end
local status, opens, closes = sale_of(facts[1])
local names, pools = counts_of_pools()
local left_open, left_close, names_of_channels = left_until(opens), left_until(closes), facts[5] or ''
local reply = {'ok', status, facts[2], tonumber(facts[3]), tonumber(facts[4]), now, left_open, left_close,
               names_of_channels, names, pools}
local found = #ARGV > 0 and redis.call('HMGET', seats_key, unpack(ARGV))
for index = 1, #ARGV do
  reply[11 + index] = found[index] or ''
end
return reply
