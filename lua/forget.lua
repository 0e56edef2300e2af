-- forget: deletes the locks of some seats of a retired show, and the lists of their holders, and then the seats.
--
-- KEYS  retired | lock (one a seat)                      then holder (one a holder)
-- ARGV  |
-- REPLY then seats that are left
local FIXED_KEYS = 1
local retired_key = KEYS[1]

redis.call('HLEN', retired_key) -- type-checked before the first write
local prefix = #retired_key - #'retired' + #'lock:' + 1
local list_prefix = string.sub(retired_key, 1, -#'retired' - 1) .. 'holder:'
local last_lock = #KEYS
while string.sub(KEYS[last_lock], 1, #list_prefix) == list_prefix do
  last_lock = last_lock - 1
end
local names = {}
for index = FIXED_KEYS + 1, last_lock do
  names[#names + 1] = string.sub(KEYS[index], prefix)
end
redis.call('UNLINK', unpack(KEYS, FIXED_KEYS + 1))
redis.call('HDEL', retired_key, unpack(names))
return {redis.call('HLEN', retired_key)}
