-- retire: ends a show in one step, with its waiting room, unless holds or unread outbox entries remain. What is left of
-- it, the locks of sold seats, is then deleted in bounded steps along `retired`, the former availability hash. Pins are
-- counted before, in bounded steps too: see pins.
--
-- KEYS  meta seats due changes outbox plan retired blocks audit
--       room queue passes grants early drawn here_0 here_1 kept_0 kept_1 admissions record aside relay pools |
--       pool_due (one a pool)
-- ARGV  outbox version |                                keep: refuse while entries are unread; discard: drop them
-- REPLY noshow
--       ok
--       inuse holds unread                              unread: in the outbox, and set aside
--       pools                                           these are not all of the show's pools
--       changed                                         strict checkout, and it was at another version without pins
local meta_key, seats_key, due_key, changes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local outbox_key, plan_key, retired_key, blocks_key, audit_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local room_key, queue_key, passes_key, grants_key = KEYS[10], KEYS[11], KEYS[12], KEYS[13]
local early_key, drawn_key, here_keys, kept_keys = KEYS[14], KEYS[15], {KEYS[16], KEYS[17]}, {KEYS[18], KEYS[19]}
local admissions_key, record_key, aside_key, relay_key, pools_key = KEYS[20], KEYS[21], KEYS[22], KEYS[23], KEYS[24]
local FIXED_KEYS = 24
-- @include clock
-- @include counts

if redis.call('EXISTS', retired_key) == 1 then
  return {'ok'} -- an earlier call got this far; the steps that delete go on
end
if redis.call('EXISTS', meta_key, seats_key, pools_key, room_key) == 0 then
  return {'noshow'}
end
-- Type-checked before the first write: a key that holds something foreign is not deleted.
redis.call('HLEN', meta_key)
redis.call('HLEN', seats_key)
redis.call('XLEN', changes_key)
redis.call('XLEN', audit_key)
redis.call('HLEN', blocks_key)
redis.call('HLEN', room_key)
redis.call('HLEN', grants_key)
redis.call('HLEN', record_key)
redis.call('XLEN', admissions_key)
for _, key in ipairs({queue_key, passes_key, early_key, drawn_key}) do
  redis.call('ZCARD', key)
end
for number = 1, 2 do
  redis.call('STRLEN', here_keys[number])
  redis.call('STRLEN', kept_keys[number])
end
local holds = redis.call('ZCOUNT', due_key, digits(now), '(+inf')
local names, pools = counts_of_pools()
if names ~= '' and #pools == 0 then
  return {'pools'}
end
for index = FIXED_KEYS + 1, #KEYS do
  holds = holds + redis.call('ZCOUNT', KEYS[index], digits(now), '(+inf')
end
redis.call('STRLEN', relay_key)
local unread = redis.call('XLEN', outbox_key) + redis.call('XLEN', aside_key)
if holds > 0 or (unread > 0 and ARGV[1] ~= 'discard') then
  return {'inuse', holds, unread}
end
local facts = redis.call('HMGET', meta_key, 'status', 'limits', 'checkout', 'version')
if facts[3] == 'strict' and facts[4] ~= ARGV[2] then
  return {'changed'}
end
-- With limits, those who bought of the pools have lists to be deleted, so the pools are walked along as well; also
-- where nobody knows any more, since an earlier call was stopped. Without seats they are what is left.
local walked = redis.call('EXISTS', pools_key) == 1 and (facts[2] or not facts[1])
redis.call('UNLINK', meta_key, due_key, changes_key, outbox_key, plan_key, blocks_key, audit_key, room_key, queue_key,
  passes_key, grants_key, early_key, drawn_key, here_keys[1], here_keys[2], kept_keys[1], kept_keys[2], admissions_key,
  record_key, aside_key, relay_key, unpack(KEYS, walked and FIXED_KEYS + 1 or FIXED_KEYS))
if walked then
  redis.call('HDEL', pools_key, 'names') -- the one field that a seat could be called as well
end
if redis.call('EXISTS', seats_key) == 1 then
  redis.call('RENAME', seats_key, retired_key)
elseif walked then
  redis.call('RENAME', pools_key, retired_key)
end
return {'ok'}
