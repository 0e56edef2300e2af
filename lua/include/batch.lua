-- @include mirror
-- What a batch changes, decided first and written last: seats and their new fields, pair by pair.
local fields, field_at = {}, {}
local function change(name, field)
  local at = field_at[name]
  if not at then
    at = #fields + 1
    field_at[name] = at
    fields[at] = name
  end
  fields[at + 1] = field
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

local function replace_lock(place, value)
  locks[place], parsed[place] = value, nil
end

-- Seats and claims on pools can come under one token in several calls; the hold answers with its highest fence, its
-- soonest deadline and its soonest maximum lifetime. Its payment has begun when that of any of them has.
local function join(hold, lock)
  hold = hold or {fence = 0, deadline = math.huge, limit = math.huge, mark = '', token = lock.token}
  if lock.fence >= hold.fence then
    hold.fence, hold.epoch = lock.fence, lock.epoch
  end
  hold.deadline = math.min(hold.deadline, lock.deadline)
  hold.limit = math.min(hold.limit, lock.limit)
  hold.mark = is_paying(lock) and PAYING or hold.mark
  return hold
end

local function whole_hold(places, claims)
  local hold
  for _, place in ipairs(places) do
    hold = join(hold, lock_at(place))
  end
  for _, claim in ipairs(claims or {}) do
    hold = join(hold, claim)
  end
  return hold
end
