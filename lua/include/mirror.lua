-- A field of the availability hash: a letter for the state (f free, h held, p pinned, s sold, b blocked), the
-- number of the category (or nothing), and while held ':' and the deadline in milliseconds.
local STATES = {f = 'free', h = 'held', p = 'pinned', s = 'sold', b = 'blocked'}

local function category_of(mirror)
  return string.match(mirror, '^%l(%d*)')
end

local function deadline_of(mirror)
  return tonumber(string.match(mirror, '^h%d*:(%d+)$') or '')
end
