-- @include mirror
-- Plans the return of due seats from `due` and the availability hash alone: no lock is touched, since a lock ends
-- by itself. Gives the seats that are due no more, the new mirrors of those that really are past, the times of seats
-- that were put off, and how many seats it looked at.
local function plan_sweep(limit)
  local due = redis.call('ZRANGEBYSCORE', due_key, '-inf', '(' .. digits(now), 'LIMIT', '0', digits(limit))
  local gone, freed, later = {}, {}, {}
  if #due > 0 then
    local found = redis.call('HMGET', seats_key, unpack(due))
    for index, name in ipairs(due) do
      local deadline = found[index] and deadline_of(found[index])
      if deadline and now <= deadline then
        later[#later + 1] = digits(deadline)
        later[#later + 1] = name
      else
        gone[#gone + 1] = name
        if deadline then
          freed[name] = free_field(found[index])
        end
      end
    end
  end
  return gone, freed, later, #due
end
