-- The value of a lock: fields parted by newlines, which no id may contain.
--   held            h token holder epoch fence deadline_ms limit_ms
--   pinned or sold  p|s token holder epoch fence since_ms booking payment
-- limit_ms is the maximum lifetime: no extension goes beyond it.
local HELD = '^h\n([^\n]*)\n([^\n]*)\n(%d+)\n(%d+)\n(%d+)\n(%d+)$'
local SOLD = '^([ps])\n([^\n]*)\n([^\n]*)\n(%d+)\n(%d+)\n(%d+)\n([^\n]*)\n([^\n]*)$'

-- The lock as a table; nil for none and for a hold whose time has passed (Redis removes it a moment later).
-- Content that is no lock of ours counts as held by nobody one knows, so that it is never overwritten.
local function parse_lock(value)
  if not value then
    return nil
  end
  local token, holder, lock_epoch, fence, deadline, limit = string.match(value, HELD)
  if token then
    deadline = tonumber(deadline)
    return {state = 'h', token = token, holder = holder, epoch = lock_epoch, fence = fence, deadline = deadline,
            limit = tonumber(limit), past = now > deadline}
  end
  local state, since, booking, payment
  state, token, holder, lock_epoch, fence, since, booking, payment = string.match(value, SOLD)
  if state then
    return {state = state, token = token, holder = holder, epoch = lock_epoch, fence = fence,
            since = tonumber(since), booking = booking, payment = payment}
  end
  return {state = 'h', foreign = true, deadline = now}
end

local function held_lock(token, holder, lock_epoch, fence, deadline, limit)
  return table.concat({'h', token, holder, lock_epoch, fence, digits(deadline), digits(limit)}, '\n')
end

local function sold_lock(token, holder, lock_epoch, fence, since, booking, payment)
  return table.concat({'s', token, holder, lock_epoch, fence, digits(since), booking, payment}, '\n')
end
