-- A field of the availability hash: a letter for the state (f free, c free for its channel, h held, p pinned, s sold,
-- b blocked), the number of the category (or nothing), '@' and the number of the channel where the seat is in one, and
-- while held ':' and the deadline in milliseconds.
local STATES = {f = 'free', c = 'channel', h = 'held', p = 'pinned', s = 'sold', b = 'blocked'}
local FREE, OF_CHANNEL, BLOCKED = 102, 99, 98 -- the bytes of f, c and b

local function category_of(mirror)
  return string.match(mirror, '^%l(%d*)')
end

-- Category and channel: what a seat keeps whatever its state.
local function kind_of(mirror)
  return string.match(mirror, '^%l([%d@]*)')
end

-- The number of a seat's channel as text; nil for a seat of the public.
local function channel_of(mirror)
  return string.match(mirror, '@(%d+)')
end

local function deadline_of(mirror)
  return tonumber(string.match(mirror, '^h[%d@]*:(%d+)$') or '')
end

-- The field of a seat that comes free: everything that frees a seat gives it back to its channel.
local function free_field(mirror)
  local letter = channel_of(mirror) and 'c' or 'f'
  return letter .. kind_of(mirror)
end

-- Whether a mirror says free, or held and past, for a request that names this channel, if any. A seat is free only if
-- there is no lock as well.
local function is_free(mirror, channel)
  local letter = string.byte(mirror)
  if letter == FREE then
    return true
  elseif letter ~= OF_CHANNEL then
    local deadline = deadline_of(mirror)
    if not deadline or now <= deadline then
      return false
    end
  end
  local own = channel_of(mirror)
  return not own or own == channel
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
    field = string.byte(mirror) == BLOCKED and mirror or 'h' .. kind_of(mirror) .. ':' .. digits(deadline)
    held_fields[mirror] = field
  end
  return field
end
