-- check: what stands in the way of warming seats of a plan into a show that is there; writes nothing.
--
-- KEYS  meta seats due changes retired | lock (one a seat)
-- ARGV  | category status                               status: available, blocked or sold
-- REPLY retiring
--       ok
--       conflict (place state)...
local FIXED_KEYS = 5
local meta_key, seats_key, due_key, changes_key, retired_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- @include warming

if #conflicts > 0 then
  return {'conflict', unpack(conflicts)}
end
return {'ok'}
