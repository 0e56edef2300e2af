-- Writes the holds that were granted, and what the sweep on the way takes back; a batch without any writes nothing.
if #fields > 0 or kept_pools then
  local leaving = {} -- seats that are due no more, and that this batch does not hold again
  for _, name in ipairs(gone) do
    if not field_at[name] then
      leaving[#leaving + 1] = name
      if freed[name] then
        change(name, freed[name])
      end
    end
  end
  local told = kept_pools and kept_pools.with_changes(fields) or fields
  if #told > 0 then -- a mark alone is told to nobody
    next_version('fence', digits(fence))
    publish(told)
  end
  -- Due first, then locks and mirrors: the sweep looks at whatever a script leaves behind that is stopped in between.
  if #later > 0 then
    redis.call('ZADD', due_key, unpack(later))
  end
  if #due_adds > 0 then
    redis.call('ZADD', due_key, unpack(due_adds))
  end
  write_lists()
  for index, place in ipairs(set_places) do
    -- A lock that is there is one that has passed: Redis's own clock was read a moment earlier in this script.
    redis.call('SET', KEYS[FIXED_KEYS + place], locks[place], 'PXAT', digits(set_deadlines[index]),
      was_locked[place] and 'XX' or 'NX')
  end
  if #fields > 0 then
    redis.call('HSET', seats_key, unpack(fields))
  end
  if kept_pools then
    kept_pools.write()
  end
  if #leaving > 0 then
    redis.call('ZREM', due_key, unpack(leaving))
  end
else
  write_lists()
end
