-- stock: makes the pools of a show, or changes their capacities: the last step but one of warming. Never drops a pool,
-- never goes below what is held and sold.
--
-- KEYS  meta changes pools retired | pool_due (one a pool)
-- ARGV  | capacity                                      of each pool
-- REPLY retiring
--       ok
--       conflict (place held sold)...                   the capacity is less than this; nothing was written
--       dropped names                                   the show has these pools; nothing was written
--       lost place...                                   its claims were there before, its counts are not
local FIXED_KEYS = 4
local meta_key, changes_key, pools_key, retired_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- @include clock
-- @include stream
-- @include pools

if redis.call('EXISTS', retired_key) == 1 then
  return {'retiring'}
end
if #ARGV ~= #KEYS - FIXED_KEYS then
  error('SEATLOCK an argument or a pool is missing')
end
local facts = redis.call('HMGET', meta_key, 'version', 'epoch', 'changes_cap')
local store, names, is_named, conflicts, lost = open_pools(pools_key), {}, {}, {'conflict'}, {'lost'}
for place, argument in ipairs({unpack(ARGV)}) do
  local capacity, key = integer(argument, 1, 10 ^ 9), KEYS[FIXED_KEYS + place]
  local pool = store.pool(key)
  names[place], is_named[pool.name] = pool.name, true
  if pool.known and pool.held + pool.sold > capacity then
    local at = #conflicts
    conflicts[at + 1], conflicts[at + 2], conflicts[at + 3] = place, pool.held, pool.sold
  elseif not pool.known and redis.call('EXISTS', key) == 1 then
    lost[#lost + 1] = place
  elseif not pool.known then
    pool.capacity, pool.held, pool.sold = capacity, 0, 0
    store.count(pool, 0, 0)
  elseif pool.capacity ~= capacity then
    pool.capacity = capacity
    store.count(pool, 0, 0)
  end
end
local before = store.names()
for name in string.gmatch(before, '[^\n]+') do
  if not is_named[name] then
    return {'dropped', before}
  end
end
if #lost > 1 then
  return lost
elseif #conflicts > 1 then
  return conflicts
end
local named = table.concat(names, '\n')
if named ~= before then
  store.put_names(named)
end
if store.dirty then
  if facts[1] then
    local epoch, version, cap = facts[2], integer(facts[1], 0, 2 ^ 49) + 1, checked_cap(facts[3])
    check_stream(epoch, version)
    redis.call('HSET', meta_key, 'version', digits(version))
    redis.call('XADD', changes_key, 'MAXLEN', '~', cap, epoch .. '-' .. digits(version),
      unpack(store.with_changes({'', 'plan'})))
  end
  store.write()
end
-- The sentinels keep the sorted sets from ever being empty, hence absent; holders are never empty.
for place = 1, #ARGV do
  redis.call('ZADD', KEYS[FIXED_KEYS + place], '+inf', '')
end
return {'ok'}
