-- @include mirror
-- The letter and the deadline that a field of the availability hash says; nothing where seatlock never writes such a
-- field.
local function told(mirror)
  local state, deadline = string.sub(mirror, 1, 1), deadline_of(mirror)
  if (state == 'f' or state == 'c') and mirror ~= free_field(mirror) then
    return
  elseif STATES[state] and (state == 'h') == (deadline ~= nil) then
    return state, deadline
  end
end
