-- A field of the availability hash: a letter for the state (f free, h held, p pinned, s sold, b blocked), the
-- number of the category (or nothing), and while held ':' and the deadline in milliseconds.
local STATES = {f = 'free', h = 'held', p = 'pinned', s = 'sold', b = 'blocked'}
local FREE, BLOCKED = 102, 98 -- the bytes of f and b

local function category_of(mirror)
  return string.match(mirror, '^%l(%d*)')
end

local function deadline_of(mirror)
  return tonumber(string.match(mirror, '^h%d*:(%d+)$') or '')
end

-- A seat is free only if there is no lock and the mirror says free, or held and past.
local function is_free(mirror)
  if string.byte(mirror) == FREE then
    return true
  end
  local deadline = deadline_of(mirror)
  return deadline ~= nil and now > deadline
end

-- Most seats of a batch share category and deadline: their new fields are made once. A mirror that says blocked stays
-- as it is, also where a lock lives: the house took the seat off sale, and only the house puts it back.
local held_fields, held_until = {}, nil
local function held_field(mirror, deadline)
  if held_until ~= deadline then
    held_fields, held_until = {}, deadline
  end
  local field = held_fields[mirror]
  if not field then
    field = string.byte(mirror) == BLOCKED and mirror or 'h' .. category_of(mirror) .. ':' .. digits(deadline)
    held_fields[mirror] = field
  end
  return field
end
