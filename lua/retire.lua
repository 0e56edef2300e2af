-- retire: ends a show in one step, unless holds or unread outbox entries remain. What is left of it, the locks of sold
-- seats, is then deleted in bounded steps along `retired`, the former availability hash.
--
-- KEYS  meta seats due changes outbox plan retired blocks audit pools | pool_due (one a pool)
-- ARGV  outbox |                                        keep: refuse while entries are unread; discard: drop them
-- REPLY noshow
--       ok
--       inuse holds unread
--       pools                                           these are not all of the show's pools
local meta_key, seats_key, due_key, changes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local outbox_key, plan_key, retired_key, blocks_key, audit_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local pools_key = KEYS[10]
local FIXED_KEYS = 10
-- @include clock
-- @include counts

if redis.call('EXISTS', retired_key) == 1 then
  return {'ok'} -- an earlier call got this far; the steps that delete go on
end
if redis.call('EXISTS', meta_key, seats_key, pools_key) == 0 then
  return {'noshow'}
end
-- Type-checked before the first write: a key that holds something foreign is not deleted.
redis.call('HLEN', meta_key)
redis.call('HLEN', seats_key)
redis.call('XLEN', changes_key)
redis.call('XLEN', audit_key)
redis.call('HLEN', blocks_key)
local holds = redis.call('ZCOUNT', due_key, digits(now), '(+inf')
local names, pools = counts_of_pools()
if names ~= '' and #pools == 0 then
  return {'pools'}
end
for index = FIXED_KEYS + 1, #KEYS do
  holds = holds + redis.call('ZCOUNT', KEYS[index], digits(now), '(+inf')
end
local unread = redis.call('XLEN', outbox_key)
if holds > 0 or (unread > 0 and ARGV[1] ~= 'discard') then
  return {'inuse', holds, unread}
end
-- With limits, those who bought of the pools have lists to be deleted, so the pools are walked along as well; also
-- where nobody knows any more, since an earlier call was stopped. Without seats they are what is left.
local facts = redis.call('HMGET', meta_key, 'status', 'limits')
local walked = redis.call('EXISTS', pools_key) == 1 and (facts[2] or not facts[1])
redis.call('UNLINK', meta_key, due_key, changes_key, outbox_key, plan_key, blocks_key, audit_key,
  unpack(KEYS, walked and FIXED_KEYS + 1 or FIXED_KEYS))
if walked then
  redis.call('HDEL', pools_key, 'names') -- the one field that a seat could be called as well
end
if redis.call('EXISTS', seats_key) == 1 then
  redis.call('RENAME', seats_key, retired_key)
elseif walked then
  redis.call('RENAME', pools_key, retired_key)
end
return {'ok'}
