-- forget: deletes the locks of some seats of a retired show, and the lists of their holders, and then the seats; of its
-- pools the lists of those who bought, and then some fields.
--
-- KEYS  retired pools | lock (one a seat)                then holder (one a holder)
-- ARGV  | field                                          of the pools; none is the name of a seat
-- REPLY then what is left of the seats
local FIXED_KEYS = 2
local retired_key, pools_key = KEYS[1], KEYS[2]

redis.call('HLEN', pools_key) -- type-checked before the first write
if redis.call('HLEN', retired_key) == 0 then
  return {0} -- somebody else has done it all, and the show may be there anew
end
local prefix = #retired_key - #'retired' + #'lock:' + 1
local LOCK, letter_at = 108, #retired_key - #'retired' + 1 -- 108 is the byte of l: see include/read
local last_lock = #KEYS
while last_lock > FIXED_KEYS and string.byte(KEYS[last_lock], letter_at) ~= LOCK do
  last_lock = last_lock - 1
end
local of_pools = {unpack(ARGV)}
local names = {unpack(of_pools)} -- of a show of pools alone they stand there
for index = FIXED_KEYS + 1, last_lock do
  names[#names + 1] = string.sub(KEYS[index], prefix)
end
if #KEYS > FIXED_KEYS then
  redis.call('UNLINK', unpack(KEYS, FIXED_KEYS + 1))
end
redis.call('HDEL', retired_key, unpack(names))
if #of_pools > 0 then
  redis.call('HDEL', pools_key, unpack(of_pools))
end
return {redis.call('HLEN', retired_key)}
