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

-- Locks of the caller's whose mirrors fell behind (a script that failed half-way): set them right.
local function repair(places)
  for _, place in ipairs(places) do
    local mirror, deadline = mirrors[place], lock_at(place).deadline
    if not changed[names[place]] and mirror ~= 'h' .. category_of(mirror) .. ':' .. digits(deadline) then
      hold_seat(place, mirror, deadline)
    end
  end
end

local function held(word, hold)
  return {word, tonumber(hold.epoch), hold.fence, hold.deadline - now, hold.deadline}
end

-- Sorts the seats of a request: under its own token, under another token of the same holder, free, or in the way.
local function look(token, holder, first, count)
  local seen = {own = {}, yours = {}, free = {}, refused = {}, unknown = {}}
  for index = 1, count do
    local place = place_of[names[first + index]]
    local mirror, lock = mirrors[place], live_lock(place)
    local mine = lock and lock.holder == holder
    if not mirror then
      table.insert(seen.unknown, index)
    elseif not lock and is_free(mirror) then
      table.insert(seen.free, place)
    elseif mine and lock.state == 'h' and lock.token == token then
      table.insert(seen.own, place)
    else
      local state = lock and lock.state or string.sub(mirror, 1, 1)
      local left, mark = -1, ''
      if mine then
        mark = 'yours'
        if state == 'h' then
          table.insert(seen.yours, place)
          seen.several = seen.several or lock.token ~= lock_at(seen.yours[1]).token
        end
      elseif lock and lock.foreign or not lock and state ~= 'b' then
        mark = 'inconsistent'
      end
      if state == 'h' and not (lock and lock.foreign) then
        left = (lock and lock.deadline or deadline_of(mirror)) - now
      end
      for _, part in ipairs({index, STATES[state], left, mark}) do
        table.insert(seen.refused, part)
      end
    end
  end
  return seen
end

local function answer(token, holder, ttl, first, count)
  local seen = look(token, holder, first, count)
  if #seen.unknown > 0 then
    return {'unknown', unpack(seen.unknown)}
  end
  -- Replay and resume come before status, admission and limits.
  if #seen.own == count then
    repair(seen.own)
    return held('held', whole_hold(seen.own))
  elseif #seen.yours == count and not seen.several then
    repair(seen.yours)
    local hold = whole_hold(seen.yours)
    local resumed = held('resumed', hold)
    resumed[6] = hold.token
    return resumed
  elseif status ~= 'open' then
    return {'closed', status}
  elseif #seen.refused > 0 then
    return {'refused', unpack(seen.refused)}
  end

  -- Seats that join a basket share its fence, deadline and maximum lifetime.
  local hold = whole_hold(seen.own)
  if not hold then
    fence = fence + 1
    hold = {epoch = epoch, fence = fence, limit = now + max_hold}
    hold.deadline = math.min(now + ttl, hold.limit)
  end
  local value = held_lock(token, holder, hold.epoch, digits(hold.fence), hold.deadline, hold.limit)
  for _, place in ipairs(seen.free) do
    sets[#sets + 1] = {place, value, digits(hold.deadline), locks[place] and 'XX' or 'NX'}
    hold_seat(place, mirrors[place], hold.deadline)
    replace_lock(place, value)
  end
  return held('held', hold)
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
