-- @include clock
-- @include integer
-- The facts of a waiting room that most of its scripts want. No facts, no room: fail closed.
local ROOM = {
  'status', 'version', 'next', 'low', 'served', 'most', 'reserve', 'pass', 'renewals', 'here', 'kept', 'pace', 'poll',
  'early', 'opens', 'reached',
}
local room = {}
do
  local found = redis.call('HMGET', room_key, unpack(ROOM))
  if not found[1] then
    return {'noroom'}
  end
  for at, name in ipairs(ROOM) do
    room[name] = found[at]
  end
end
local MOST_PLACES = 2 ^ 32 - 1 -- a place is a bit of a string, and a string has no more of them
local version = integer(room.version, 0, 2 ^ 49)
local last_place = integer(room.next, 0, MOST_PLACES)
local low = integer(room.low, 1, MOST_PLACES + 1) -- the lowest place that no admission has looked at
local reached = integer(room.reached, 1, MOST_PLACES + 1) -- where the last admission stopped to look
local served = integer(room.served, 0, MOST_PLACES) -- the highest that one has: it never goes back

local early_places = integer(room.early, 0, MOST_PLACES) -- the first places are theirs whose order is drawn

-- When it is to open by itself; 0 where no time is set, or where it is open or has ended.
local opens = integer(room.opens, 0, 2 ^ 49)
if room.status ~= 'early' and room.status ~= 'drawing' and room.status ~= 'paused' then
  opens = 0
end

-- The pace of the line in an hour: places, at least and at most, and people let in, at least; -1 where it is not known.
-- Where nobody has been let in for longer than between marks before (see pace), it may be as slow as that makes it.
local RANGE = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+);'
local function pace_range()
  local slow, fast, people, since, last, gap = string.match(room.pace, RANGE)
  if not slow or room.status ~= 'open' then
    return -1, -1, -1
  end
  slow, people = integer(slow, 0, 2 ^ 49), integer(people, 0, 2 ^ 49)
  since, last = integer(since, 0, 2 ^ 49), integer(last, 0, 2 ^ 49)
  if now - last > 3 * integer(gap, 0, 2 ^ 49) then
    local part = (last - since) / (now - since)
    slow, people = math.floor(slow * part), math.floor(people * part)
  end
  return slow, integer(fast, 0, 2 ^ 49), people
end

-- What every answer about places begins with: how the room is, the clock, the place up to which it has been served, its
-- pace, how often to ask, and how long until it opens by itself (-1 where no time is set, or where it is open or has
-- ended).
local function serving()
  local slow, fast, people = pace_range()
  local opens_in = -1
  if opens > 0 then
    opens_in = math.max(opens - now, 0)
  end
  return room.status, now, served, slow, fast, people, integer(room.poll, 1, 86400000), opens_in
end
