-- forget: deletes the locks of some seats of a retired show, and then the seats themselves.
--
-- KEYS  retired | lock (one a seat)
-- ARGV  |
-- REPLY then seats that are left
local FIXED_KEYS = 1
local retired_key = KEYS[1]

redis.call('HLEN', retired_key) -- type-checked before the first write
local prefix = #retired_key - #'retired' + #'lock:' + 1
local names = {}
for index = FIXED_KEYS + 1, #KEYS do
  names[#names + 1] = string.sub(KEYS[index], prefix)
end
redis.call('UNLINK', unpack(KEYS, FIXED_KEYS + 1))
redis.call('HDEL', retired_key, unpack(names))
return {redis.call('HLEN', retired_key)}
