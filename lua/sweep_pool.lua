-- sweep_pool: takes back a bounded number of claims on a pool whose time has passed, and publishes its counts.
--
-- KEYS  meta due changes pools pool_due |
-- ARGV  limit |
-- REPLY noshow
--       ok swept due      how many of the pool became free; due claims looked at (as many as limit: there may be more)
local meta_key, due_key, changes_key, pools_key, pool_due_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- @include clock
-- @include show
-- @include pools
-- @include first

local limit = integer(ARGV[1], 1, 1000)
check_changes()
local store = open_pools(pools_key)
local pool = store.pool(pool_due_key)
if not pool.known then
  return {'ok', 0, 0}
end
local held = pool.held
store.sweep(pool, limit)
if pool.looked > 0 then
  begin_with_a_delete(due_key)
  if store.dirty then
    next_version()
    publish(store.with_changes({}))
  end
  store.write()
end
return {'ok', held - pool.held, pool.looked}
