-- acquire: holds seats for each of N requests, in order, each answered as if it had come alone.
--
-- KEYS  meta seats due changes | lock (one a seat, request by request)
-- ARGV  requests | token holder ttl_ms seats
-- REPLY noshow
--       ok, then for each request one of
--         held epoch fence left_ms deadline_ms
--         resumed epoch fence left_ms deadline_ms token
--         refused (place state left_ms mark)...      mark: yours, inconsistent or nothing; left -1 where unknown
--         unknown place...
--         closed status
local FIXED_KEYS = 4
local meta_key, seats_key, due_key, changes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local SWEEP = 32 -- due seats that one batch takes back on its way
-- @include clock
-- @include show
-- @include lock
-- @include due
-- @include read
-- @include batch

local due, freed, later = plan_sweep(SWEEP)
check_changes()
local max_hold = integer(facts[5], 1, 86400000)
local fence = integer(facts[4], 0, 2 ^ 40 - 1)

local sets, due_adds = {}, {}
local function live_lock(place)
  local lock = lock_at(place)
  return lock and not lock.past and lock
end
local function hold_seat(place, mirror, deadline)
  change(names[place], 'h' .. category_of(mirror) .. ':' .. digits(deadline))
  due_adds[#due_adds + 1] = digits(deadline)
  due_adds[#due_adds + 1] = names[place]
end

-- A seat is free only if there is no lock and the mirror says free, or held and past.
local function is_free(mirror)
  if string.sub(mirror, 1, 1) == 'f' then
    return true
  end
  local deadline = deadline_of(mirror)
  return deadline ~= nil and now > deadline
end

-- A lock under the caller's token whose mirror fell behind (a script that failed half-way): set it right.
local function repair(place, lock)
  local mirror = mirrors[place]
  if not changed[names[place]] and mirror ~= 'h' .. category_of(mirror) .. ':' .. digits(lock.deadline) then
    hold_seat(place, mirror, lock.deadline)
  end
end

local function answer(token, holder, ttl, first, count)
  local unknown, refused, free = {}, {}, {}
  local own, yours, other_token, same_other = nil, 0, nil, true
  local owned, left = {}, nil
  for index = 1, count do
    local place = place_of[names[first + index]]
    local mirror = mirrors[place]
    local lock = live_lock(place)
    if not mirror then
      unknown[#unknown + 1] = index
    elseif not lock and is_free(mirror) then
      free[#free + 1] = place
    else
      local state = lock and lock.state or string.sub(mirror, 1, 1)
      local mine = lock and lock.holder == holder
      if mine and state == 'h' and lock.token == token then
        own = own or lock
        owned[#owned + 1] = place
        left = math.min(left or lock.deadline, lock.deadline)
      else
        local back, mark = -1, ''
        if mine then
          mark = 'yours'
          if state == 'h' then
            yours = yours + 1
            same_other = same_other and (other_token == nil or other_token == lock.token)
            other_token = lock.token
          end
        elseif lock and lock.foreign or not lock and state ~= 'b' then
          mark = 'inconsistent'
        end
        if state == 'h' and not (lock and lock.foreign) then
          back = (lock and lock.deadline or deadline_of(mirror) or now) - now
        end
        local at = #refused
        refused[at + 1], refused[at + 2], refused[at + 3], refused[at + 4] = index, STATES[state] or 'held', back, mark
      end
    end
  end

  if #unknown > 0 then
    return {'unknown', unpack(unknown)}
  end
  -- Replay and resume come before status, admission and limits.
  if #owned == count then
    for _, place in ipairs(owned) do
      repair(place, live_lock(place))
    end
    return {'held', tonumber(own.epoch), tonumber(own.fence), left - now, left}
  end
  if yours == count and same_other then
    local lock, soonest = nil, nil
    for index = 1, count do
      lock = live_lock(place_of[names[first + index]])
      soonest = math.min(soonest or lock.deadline, lock.deadline)
      repair(place_of[names[first + index]], lock)
    end
    return {'resumed', tonumber(lock.epoch), tonumber(lock.fence), soonest - now, soonest, lock.token}
  end
  if status ~= 'open' then
    return {'closed', status}
  end
  if #refused > 0 then
    return {'refused', unpack(refused)}
  end

  -- Seats that join a basket share its fence, deadline and maximum lifetime.
  local deadline, limit, hold_epoch, hold_fence
  if own then
    deadline, limit, hold_epoch, hold_fence = left, own.limit, own.epoch, own.fence
  else
    fence = fence + 1
    limit = now + max_hold
    deadline, hold_epoch, hold_fence = math.min(now + ttl, limit), epoch, digits(fence)
  end
  local value = held_lock(token, holder, hold_epoch, hold_fence, deadline, limit)
  for _, place in ipairs(free) do
    sets[#sets + 1] = {place, value, digits(deadline), locks[place] and 'XX' or 'NX'}
    hold_seat(place, mirrors[place], deadline)
    replace_lock(place, value)
  end
  return {'held', tonumber(hold_epoch), tonumber(hold_fence), deadline - now, deadline}
end

local reply = {'ok'}
local argument, place = 2, 0
for request = 1, integer(ARGV[1], 1, 512) do
  local count = integer(ARGV[argument + 3], 1, 512)
  reply[request + 1] = answer(ARGV[argument], ARGV[argument + 1], integer(ARGV[argument + 2], 1, 86400000), place, count)
  argument, place = argument + 4, place + count
end

if #order > 0 then
  for _, name in ipairs(due) do
    if freed[name] and not changed[name] then
      change(name, freed[name])
    end
  end
  local fields = changed_fields()
  next_version('fence', digits(fence))
  publish(fields)
  for _, set in ipairs(sets) do
    redis.call('SET', KEYS[FIXED_KEYS + set[1]], set[2], 'PXAT', set[3], set[4])
  end
  redis.call('HSET', seats_key, unpack(fields))
  if #due > 0 then
    redis.call('ZREM', due_key, unpack(due))
  end
  if #later > 0 then
    redis.call('ZADD', due_key, unpack(later))
  end
  redis.call('ZADD', due_key, unpack(due_adds))
end
return reply
