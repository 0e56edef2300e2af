-- warm: loads seats of a plan; never makes a seat available that is not, never changes one that is held or sold.
--
-- KEYS  meta seats due changes retired blocks | lock (one a seat)
-- ARGV  | category status                               status: available, blocked or sold
-- REPLY retiring
--       ok added changed kept                           kept: seats left as they were
--       conflict (place state)...                       nothing was written
local FIXED_KEYS = 6
local meta_key, seats_key, due_key, changes_key, retired_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local blocks_key = KEYS[6]
-- @include warming

if #conflicts > 0 then
  return {'conflict', unpack(conflicts)}
end
local reasons = redis.call('HLEN', blocks_key) -- type-checked before the first write
if #changes > 0 then
  if version then
    redis.call('HSET', meta_key, 'version', digits(version))
    redis.call('XADD', changes_key, 'MAXLEN', '~', changes_cap, epoch .. '-' .. digits(version), unpack(changes))
  end
  if reasons > 0 and #unblocked > 0 then
    redis.call('HDEL', blocks_key, unpack(unblocked)) -- before the block: one without a reason is a block
  end
  if #imported > 0 then
    redis.call('MSET', unpack(imported))
  end
  redis.call('HSET', seats_key, unpack(changes))
end
return {'ok', added, #changes / 2 - added, kept}
