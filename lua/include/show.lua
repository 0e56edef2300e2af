-- @include integer
-- @include stream
-- The show's facts, and the version that the next write of this script gets. No facts, no show: fail closed.
local facts = redis.call('HMGET', meta_key, 'status', 'version', 'epoch', 'fence', 'max_hold', 'outbox', 'changes_cap',
  'limits', 'admission', 'checkout')
if not facts[1] then
  return {'noshow'}
end
local status = facts[1]
local version = integer(facts[2], 0, 2 ^ 49)
local epoch = facts[3]
integer(epoch, 0, 2 ^ 40)
local changes_cap = checked_cap(facts[7])

local function check_changes()
  check_stream(epoch, version + 1)
end

-- First write of most scripts: HSET is one that a full server refuses. A version that no entry follows is
-- harmless, so the version goes up before the entry is added.
local function next_version(...)
  version = version + 1
  redis.call('HSET', meta_key, 'version', digits(version), ...)
end

-- One entry a batch; fields are seats, values are the new fields of the availability hash.
local function publish(pairs_of_changes)
  redis.call('XADD', changes_key, 'MAXLEN', '~', changes_cap, epoch .. '-' .. digits(version), unpack(pairs_of_changes))
end
