-- @include clock
-- @include integer
-- The names of the show's pools, and of each pool in turn capacity, held and sold, to be read only. Claims whose time
-- has passed count as free, up to a bound; what is beyond it waits for the sweep. No counts where the due sets among
-- the keys are not those of all pools, in order: the names tell what to bring.
local READ_DUE = 500
local COUNTS, CLAIM = 'c', 'h' -- kinds of fields: see pools
local function past_claims(name, due_key_of_pool)
  local due = redis.call('ZRANGEBYSCORE', due_key_of_pool, '-inf', '(' .. digits(now), 'LIMIT', '0', digits(READ_DUE))
  local fields, past = {}, 0
  for index, holder in ipairs(due) do
    fields[index] = table.concat({CLAIM, name, holder}, '\n')
  end
  for _, claim in ipairs(#due > 0 and redis.call('HMGET', pools_key, unpack(fields)) or {}) do
    local quantity, deadline = string.match(claim or '', '^[^\n]*\n(%d+)\n%d+\n%d+\n(%d+)\n')
    if deadline and now > tonumber(deadline) then
      past = past + tonumber(quantity)
    end
  end
  return past
end

local function counts_of_pools()
  local names, pools = redis.call('HMGET', pools_key, 'names')[1] or '', {}
  local known, prefix = {}, #pools_key - #'pools' + #'pool-due:' + 1
  for index = FIXED_KEYS + 1, #KEYS do
    known[#known + 1] = string.sub(KEYS[index], prefix)
  end
  if table.concat(known, '\n') ~= names then
    return names, {}
  end
  for index, name in ipairs(known) do
    local counts = redis.call('HMGET', pools_key, table.concat({COUNTS, name}, '\n'))[1] or ''
    local capacity, held, sold = string.match(counts, '^(%d+) (%d+) (%d+)$')
    local at, past = #pools, capacity and past_claims(name, KEYS[FIXED_KEYS + index])
    -- A pool that has lost its counts has nothing to sell; it hides neither the other pools nor the seats.
    pools[at + 1], pools[at + 2] = tonumber(capacity or '0'), tonumber(held or '0') - (past or 0)
    pools[at + 3] = tonumber(sold or '0')
  end
  return names, pools
end
