-- compare: finds the seats whose lock, field of the availability hash and place among the due contradict each other,
-- for those who check a show; it changes nothing, and a token is never told.
--
-- KEYS  meta seats due | lock (one a seat)
-- ARGV  |
-- REPLY noshow
--       ok plan seats (place kind mirror lock)...    kind: missing, unlocked, state, deadline, expiry, unswept or
--                                                    foreign; mirror and lock: states, ? for what is none of ours
local FIXED_KEYS = 3
local meta_key, seats_key, due_key = KEYS[1], KEYS[2], KEYS[3]
-- @include clock
-- @include integer
-- @include lock
-- @include told

local facts = redis.call('HMGET', meta_key, 'status', 'plan')
if not facts[1] then
  return {'noshow'}
end
local names, prefix = {}, #meta_key - #'meta' + #'lock:' + 1
for place = 1, #KEYS - FIXED_KEYS do
  names[place] = string.sub(KEYS[FIXED_KEYS + place], prefix)
end
local named = #names > 0 -- a show of pools alone has no seats, and is asked how many it has all the same
local mirrors = named and redis.call('HMGET', seats_key, unpack(names))
local scores = named and redis.call('ZMSCORE', due_key, unpack(names))
local locks = named and redis.call('MGET', unpack(KEYS, FIXED_KEYS + 1))

local function contradiction(lock, left, state, deadline, score)
  local alive = lock and not lock.past
  if alive and lock.state ~= state then
    return 'state'
  elseif alive and state == 'h' and lock.deadline ~= deadline then
    return 'deadline'
  elseif alive and (state == 'h') == (left == -1) then
    return 'expiry'
  elseif not alive and (state == 'p' or state == 's' or state == 'h' and now <= deadline) then
    return 'unlocked'
  elseif state == 'h' and not (score and score <= deadline) then
    return 'unswept'
  end
end

local function look(place)
  local mirror, lock = mirrors[place], parse_lock(locks[place])
  local left = redis.call('PTTL', KEYS[FIXED_KEYS + place]) -- -2: there is nothing, -1: it stays; MGET sees texts only
  local owned = lock and STATES[lock.state] or ''
  if lock and lock.foreign or left ~= -2 and not lock then
    return 'foreign', '', '?'
  elseif not mirror then
    return 'missing', '', owned
  end
  local state, deadline = told(mirror)
  if not state then
    return 'foreign', '?', owned
  end
  return contradiction(lock, left, state, deadline, tonumber(scores[place] or '')), STATES[state], owned
end

local reply = {'ok', facts[2] or '', redis.call('HLEN', seats_key)}
for place = 1, #names do
  local kind, mirror, lock = look(place)
  if kind then
    local at = #reply
    reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = place, kind, mirror, lock
  end
end
return reply
