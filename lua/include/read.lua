-- Reads every seat that the call names: names, mirrors and locks by place. A seat named twice in the call keeps its
-- first place, so that a later request sees what an earlier one of the batch leaves behind.
local names, place_of = {}, {}
local mirrors, locks
do
  local prefix = #meta_key - #'meta' + #'lock:' + 1
  for place = 1, #KEYS - FIXED_KEYS do
    local name = string.sub(KEYS[FIXED_KEYS + place], prefix)
    names[place] = name
    place_of[name] = place_of[name] or place
  end
  mirrors = redis.call('HMGET', seats_key, unpack(names))
  -- MGET answers nothing for a key of another type, where SET NX would then fail half-way: so EXISTS counts first.
  local there = redis.call('EXISTS', unpack(KEYS, FIXED_KEYS + 1))
  locks = {}
  if there > 0 then
    locks = redis.call('MGET', unpack(KEYS, FIXED_KEYS + 1))
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
