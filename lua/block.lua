-- block: takes seats off sale for the house, all or none, and keeps the reason.
--
-- KEYS  meta seats changes blocks | lock (one a seat)
-- ARGV  reason |                                        empty: none is given, and none is kept
-- REPLY noshow
--       ok place...                                     places of seats that were blocked before
--       refused (place state left_ms consistent)...     left -1 where unknown; nothing was written
--       unknown place...                                nothing was written
local FIXED_KEYS = 4
local meta_key, seats_key, changes_key, blocks_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- @include clock
-- @include show
-- @include lock
-- @include state
-- @include read

check_changes()
local reason = ARGV[1] or ''
local reasons = redis.call('HMGET', blocks_key, unpack(names))
local fields, said, unsaid = {}, {}, {}
local ok, refused, unknown = {'ok'}, {'refused'}, {'unknown'}

local function refuse(place, state, mirror, lock)
  if lock and lock.past then
    lock = nil
  end
  local foreign = lock and lock.foreign
  local consistent = lock and not foreign and state == string.sub(mirror, 1, 1)
  local left = -1
  if state == 'h' and not foreign then
    left = (lock and lock.deadline or deadline_of(mirror)) - now
  end
  local at = #refused
  refused[at + 1], refused[at + 2], refused[at + 3], refused[at + 4] = place, STATES[state], left, consistent and 1 or 0
end

for place, name in ipairs(names) do
  local mirror, lock = mirrors[place], parse_lock(locks[place])
  local state = state_of(mirror, lock)
  if not mirror then
    unknown[#unknown + 1] = place
  elseif state == 'f' then
    fields[#fields + 1] = name
    fields[#fields + 1] = 'b' .. category_of(mirror)
  elseif state == 'b' then
    ok[#ok + 1] = place
  else
    refuse(place, state, mirror, lock)
  end
  if reason == '' and reasons[place] then
    unsaid[#unsaid + 1] = name
  elseif reason ~= '' and reason ~= reasons[place] then
    said[#said + 1] = name
    said[#said + 1] = reason
  end
end

if #unknown > 1 then
  return unknown
elseif #refused > 1 then
  return refused
end
if #fields > 0 then
  next_version()
  publish(fields)
  redis.call('HSET', seats_key, unpack(fields))
end
-- Last: a block without its reason is a block, and a reason without a block would be told of a later one.
if #said > 0 then
  redis.call('HSET', blocks_key, unpack(said))
end
if #unsaid > 0 then
  redis.call('HDEL', blocks_key, unpack(unsaid))
end
return ok
