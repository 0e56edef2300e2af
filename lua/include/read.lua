-- Reads every seat that the call names: names, mirrors and locks by place. A seat named twice in the call keeps its
-- first place, so that a later request sees what an earlier one of the batch leaves behind. Behind the locks there
-- can be other keys, last of all the lists of holders (see limits): the first letter of its name tells a lock.
local names, place_of = {}, {}
local mirrors, locks
local LOCK, letter_at = 108, #meta_key - #'meta' + 1 -- 108 is the byte of l
local last_lock = #KEYS
while last_lock > FIXED_KEYS and string.byte(KEYS[last_lock], letter_at) ~= LOCK do
  last_lock = last_lock - 1
end
do
  local prefix = #meta_key - #'meta' + #'lock:' + 1
  for place = 1, last_lock - FIXED_KEYS do
    local name = string.sub(KEYS[FIXED_KEYS + place], prefix)
    names[place] = name
    place_of[name] = place_of[name] or place
  end
  mirrors = #names > 0 and redis.call('HMGET', seats_key, unpack(names)) or {} -- a batch can ask for pools alone
  -- MGET answers nothing for a key of another type, where SET NX would then fail half-way: so EXISTS counts first.
  local there = #names > 0 and redis.call('EXISTS', unpack(KEYS, FIXED_KEYS + 1, last_lock)) or 0
  locks = {}
  if there > 0 then
    locks = redis.call('MGET', unpack(KEYS, FIXED_KEYS + 1, last_lock))
    for place = 1, #names do
      if locks[place] then
        there = there - 1
      end
    end
    if there ~= 0 then
      error('SEATLOCK a lock key holds something that is no string')
    end
  end
end
