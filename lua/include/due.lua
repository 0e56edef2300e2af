-- @include mirror
-- Plans the return of due seats from `due` and the availability hash alone: no lock is touched, since a lock ends
-- by itself. Gives the due seats, and the new mirror of each seat that really is past.
local function plan_sweep(limit)
  local due = redis.call('ZRANGEBYSCORE', due_key, '-inf', '(' .. digits(now), 'LIMIT', '0', digits(limit))
  local freed, later = {}, {}
  if #due > 0 then
    local found = redis.call('HMGET', seats_key, unpack(due))
    for index, name in ipairs(due) do
      local deadline = found[index] and deadline_of(found[index])
      if deadline and now > deadline then
        freed[name] = 'f' .. category_of(found[index])
      elseif deadline then
        later[#later + 1] = digits(deadline)
        later[#later + 1] = name
      end
    end
  end
  return due, freed, later
end
