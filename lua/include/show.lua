-- @include integer
-- The show's facts, and the version that the next write of this script gets. No facts, no show: fail closed.
local facts = redis.call('HMGET', meta_key, 'status', 'version', 'epoch', 'fence', 'max_hold', 'outbox', 'changes_cap')
if not facts[1] then
  return {'noshow'}
end
local status = facts[1]
local version = integer(facts[2], 0, 2 ^ 49)
local epoch = facts[3]

-- Everything is read and type-checked before the first write; this is the change stream's turn. An entry at or
-- beyond the next version would make the XADD of the write phase fail half-way.
local function check_changes()
  local beyond = redis.call('XRANGE', changes_key, epoch .. '-' .. digits(version + 1), '+', 'COUNT', '1')
  if #beyond > 0 then
    error('SEATLOCK the change stream is ahead of the version of the show')
  end
end

-- First write of most scripts: HSET is one that a full server refuses. A version that no entry follows is
-- harmless, so the version goes up before the entry is added.
local function next_version(...)
  version = version + 1
  redis.call('HSET', meta_key, 'version', digits(version), ...)
end

-- One entry a batch; fields are seats, values are the new fields of the availability hash.
local function publish(pairs_of_changes)
  redis.call('XADD', changes_key, 'MAXLEN', '~', facts[7], epoch .. '-' .. digits(version), unpack(pairs_of_changes))
end
