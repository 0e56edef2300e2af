-- availability: the states of the seats asked for, at one version of the show.
--
-- KEYS  meta seats |
-- ARGV  | seat
-- REPLY noshow
--       ok status plan epoch version now_ms channels, then one field of the availability hash a seat ('' where unknown)
local meta_key, seats_key = KEYS[1], KEYS[2]
-- @include clock

local facts = redis.call('HMGET', meta_key, 'status', 'plan', 'epoch', 'version', 'channels')
if not facts[1] then
  return {'noshow'}
end
local reply = {'ok', facts[1], facts[2], tonumber(facts[3]), tonumber(facts[4]), now, facts[5] or ''}
local found = redis.call('HMGET', seats_key, unpack(ARGV))
for index = 1, #ARGV do
  reply[7 + index] = found[index] or ''
end
return reply
