-- @include mirror
-- What a batch changes: new mirrors by seat, in the order of change. Decided first, written last.
local changed, order = {}, {}
local function change(name, mirror)
  if not changed[name] then
    order[#order + 1] = name
  end
  changed[name] = mirror
end

local function changed_fields()
  local fields = {}
  for index, name in ipairs(order) do
    fields[2 * index - 1], fields[2 * index] = name, changed[name]
  end
  return fields
end

-- Locks by place as the earlier requests of the batch leave them, parsed when first looked at.
local parsed = {}
local function lock_at(place)
  local lock = parsed[place]
  if lock == nil then
    lock = parse_lock(locks[place]) or false
    parsed[place] = lock
  end
  return lock
end
-- Seats can come under one token in several calls; the hold answers with its highest fence, its soonest deadline and
-- its soonest maximum lifetime.
local function whole_hold(places)
  local hold
  for _, place in ipairs(places) do
    local lock = lock_at(place)
    hold = hold or {fence = 0, deadline = math.huge, limit = math.huge, token = lock.token}
    if tonumber(lock.fence) >= hold.fence then
      hold.fence, hold.epoch = tonumber(lock.fence), lock.epoch
    end
    hold.deadline = math.min(hold.deadline, lock.deadline or now)
    hold.limit = math.min(hold.limit, lock.limit or now)
  end
  return hold
end
local function replace_lock(place, value)
  locks[place], parsed[place] = value, nil
end
