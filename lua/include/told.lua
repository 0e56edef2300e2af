-- @include mirror
-- The letter and the deadline that a field of the availability hash says; nothing where seatlock never writes such a
-- field.
local function told(mirror)
  local state, deadline = string.sub(mirror, 1, 1), deadline_of(mirror)
  if STATES[state] and (state == 'h') == (deadline ~= nil) then
    return state, deadline
  end
end
