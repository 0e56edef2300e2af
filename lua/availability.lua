-- availability: the states of the seats asked for, at one version of the show.
--
-- KEYS  meta seats |
-- ARGV  | seat
-- REPLY noshow
--       ok status plan epoch version now_ms opens_ms closes_ms, then one field of the availability hash a seat
--                                                       '' where unknown; left until the sale opens, closes, or -1
local meta_key, seats_key = KEYS[1], KEYS[2]
-- @include clock
-- @include times

local facts = redis.call('HMGET', meta_key, 'status', 'plan', 'epoch', 'version')
if not facts[1] then
  return {'noshow'}
end
local status, opens, closes = sale_of(facts[1])
local left_open, left_close = left_until(opens), left_until(closes)
local reply = {'ok', status, facts[2], tonumber(facts[3]), tonumber(facts[4]), now, left_open, left_close}
local found = redis.call('HMGET', seats_key, unpack(ARGV))
for index = 1, #ARGV do
  reply[8 + index] = found[index] or ''
end
return reply
