-- forget: deletes the locks of some seats of a retired show, and the lists of their holders, and then the seats.
--
-- KEYS  retired | lock (one a seat)                      then holder (one a holder)
-- ARGV  |
-- REPLY then seats that are left
local FIXED_KEYS = 1
local retired_key = KEYS[1]

redis.call('HLEN', retired_key) -- type-checked before the first write
local prefix = #retired_key - #'retired' + #'lock:' + 1
local LOCK, letter_at = 108, #retired_key - #'retired' + 1 -- 108 is the byte of l: see include/read
local last_lock = #KEYS
while last_lock > FIXED_KEYS and string.byte(KEYS[last_lock], letter_at) ~= LOCK do
  last_lock = last_lock - 1
end
local names = {}
for index = FIXED_KEYS + 1, last_lock do
  names[#names + 1] = string.sub(KEYS[index], prefix)
end
redis.call('UNLINK', unpack(KEYS, FIXED_KEYS + 1))
redis.call('HDEL', retired_key, unpack(names))
return {redis.call('HLEN', retired_key)}
