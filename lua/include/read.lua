-- Reads every seat that the call names, once: names, mirrors and locks by place. A seat named twice in the call
-- keeps its first place, so that a later request sees what an earlier one of the batch leaves behind.
local names, place_of, mirrors, locks = {}, {}, {}, {}
local first_lock = FIXED_KEYS + 1
do
  local prefix = #meta_key - 4 + #'lock:' + 1
  for index = first_lock, #KEYS do
    names[index - FIXED_KEYS] = string.sub(KEYS[index], prefix)
  end
  mirrors = redis.call('HMGET', seats_key, unpack(names))
  locks = redis.call('MGET', unpack(KEYS, first_lock))
  local there = 0
  for place = 1, #names do
    if locks[place] then
      there = there + 1
    end
  end
  -- MGET answers nothing for a key of another type; SET NX would then fail half-way.
  if there < #names and redis.call('EXISTS', unpack(KEYS, first_lock)) ~= there then
    error('SEATLOCK a lock key holds something that is no string')
  end
  for place = #names, 1, -1 do
    place_of[names[place]] = place
  end
end
