-- @include mirror
-- What a seat is now: f, h, p, s or b, and nil where it is new. The lock speaks first.
local function state_of(mirror, lock)
  if lock and not lock.past then
    return lock.state
  end
  local state = mirror and string.sub(mirror, 1, 1)
  if state == 'h' and now > deadline_of(mirror) then
    return 'f'
  end
  return state
end
