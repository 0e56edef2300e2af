-- sweep: takes back a bounded number of due seats and publishes them as free.
--
-- KEYS  meta seats due changes |
-- ARGV  limit |
-- REPLY noshow
--       ok swept due      seats that became free; due seats looked at (as many as limit: there may be more)
local meta_key, seats_key, due_key, changes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- @include clock
-- @include show
-- @include due
-- @include first

local gone, freed, later, looked = plan_sweep(integer(ARGV[1], 1, 1000))
check_changes()
if looked == 0 then
  return {'ok', 0, 0}
end

begin_with_a_delete(due_key)
local fields = {}
for name, mirror in pairs(freed) do
  fields[#fields + 1] = name
  fields[#fields + 1] = mirror
end
if #fields > 0 then
  next_version()
  publish(fields)
  redis.call('HSET', seats_key, unpack(fields))
end
if #later > 0 then
  redis.call('ZADD', due_key, unpack(later))
end
if #gone > 0 then
  redis.call('ZREM', due_key, unpack(gone)) -- last: what is due is swept again if this script is stopped in between
end
return {'ok', #fields / 2, looked}
