-- unblock: puts blocked seats back on sale, seat by seat; a seat that is not blocked is left alone.
--
-- KEYS  meta seats changes blocks | lock (one a seat)
-- ARGV  |
-- REPLY noshow
--       ok (place state)...                             seats that were not blocked: what they are
--       unknown place...                                nothing was written
local FIXED_KEYS = 4
local meta_key, seats_key, changes_key, blocks_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- @include clock
-- @include show
-- @include lock
-- @include state
-- @include read

check_changes()
local fields, unblocked = {}, {}
local ok, unknown = {'ok'}, {'unknown'}
for place, name in ipairs(names) do
  local mirror = mirrors[place]
  local state = state_of(mirror, parse_lock(locks[place]))
  if not mirror then
    unknown[#unknown + 1] = place
  elseif state == 'b' then
    unblocked[#unblocked + 1] = name
    fields[#fields + 1] = name
    fields[#fields + 1] = 'f' .. category_of(mirror)
  else
    ok[#ok + 1] = place
    ok[#ok + 1] = STATES[state]
  end
end

if #unknown > 1 then
  return unknown
end
if #fields > 0 then
  redis.call('HDEL', blocks_key, unpack(unblocked)) -- a delete first, so that a full server lets the rest through
  next_version()
  publish(fields)
  redis.call('HSET', seats_key, unpack(fields))
end
return ok
