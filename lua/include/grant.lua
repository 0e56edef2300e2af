-- @include clock
-- @include terms
-- @include show
-- @include times
-- @include lock
-- @include due
-- @include read
-- @include batch
-- @include over
-- Holds seats: what is decided for them; written by `keep`.
local SWEEP = 32 -- due seats that one batch takes back on its way
local gone, freed, later = plan_sweep(SWEEP)
check_changes()
local max_hold = integer(facts[5], 1, 86400000)
local fence = integer(facts[4], 0, 2 ^ 40 - 1)
local status, opens = sale_of(status)

local was_locked = {} -- places whose lock has passed but is still there
local set_places, set_deadlines, due_adds = {}, {}, {}
local kept_pools -- the store of pools, where something is to be kept in it: see claims

local function live_lock(place)
  local lock = lock_at(place)
  return lock and not lock.past and lock
end

local function mirror_hold(place, deadline)
  change(names[place], held_field(mirrors[place], deadline))
  local at = #due_adds
  due_adds[at + 1], due_adds[at + 2] = digits(deadline), names[place]
end

local function lock_seat(place, value, deadline)
  local at = #set_places + 1
  set_places[at], set_deadlines[at] = place, deadline
  replace_lock(place, value)
  mirror_hold(place, deadline)
end

-- Locks of the caller's whose mirrors fell behind (a script that failed half-way): set them right.
local function repair(places, holder)
  for _, place in ipairs(places) do
    local mirror, deadline = mirrors[place], lock_at(place).deadline
    if lists then
      mend(holder, names[place], on_hold(mirror, deadline))
    end
    if not field_at[names[place]] and mirror ~= held_field(mirror, deadline) then
      mirror_hold(place, deadline)
    end
  end
end

-- Seats that join a basket share its fence, deadline, maximum lifetime and payment; other seats get a new hold.
local function grant(owner, ttl, free, basket)
  local hold = basket
  if not hold then
    fence = fence + 1
    local limit = now + max_hold
    hold = {epoch = epoch, fence = fence, limit = limit, deadline = math.min(now + ttl, limit), mark = ''}
  end
  local value = held_lock(held_by(owner), hold.epoch, hold.fence, hold.deadline, hold.limit, hold.mark)
  for _, place in ipairs(free) do
    was_locked[place] = locks[place]
    if lists then
      enlist(holder_of(owner), names[place], on_hold(mirrors[place], hold.deadline))
    end
    lock_seat(place, value, hold.deadline)
  end
  return hold
end
