-- @include clock
-- @include integer
-- Pools: stock without numbers. All pools of a show lie in one hash, so that claims and counts change in one command
-- and cannot part. Its fields, their parts separated by newlines:
--   names                      the pools, in the order in which they were warmed
--   c POOL                     capacity held sold (separated by spaces)
--   h POOL HOLDER              a claim: token quantity epoch fence deadline_ms limit_ms, with the mark of a lock
--   s POOL EPOCH-FENCE         a sale: token holder quantity since_ms booking payment
--   t POOL TOKEN HOLDER        the EPOCH-FENCE of the sale to this owner
-- A field without content is one that is gone. What is due lies in a sorted set a pool: holder -> deadline.
--
-- A store is made only where pools are asked for: nobody else pays for its functions.
local function open_pools(pools_key)
  local store, pools = {}, {}
  local stock, changed = {}, {} -- fields as the earlier requests of the batch leave them: text, or false

  local function field_of(kind, pool, rest)
    return table.concat({kind, pool.name, rest}, '\n')
  end

  local function read(field)
    local value = stock[field]
    if value == nil then
      value = redis.call('HMGET', pools_key, field)[1]
      value = value and value ~= '' and value
      stock[field] = value
    end
    return value
  end

  local function put(field, value)
    stock[field], changed[field], store.dirty = value, true, true
  end

  -- The pool whose due set this is; not `known` where the show has no such pool.
  local MOST = 10 ^ 9
  function store.pool(due_key_of_pool)
    for _, pool in ipairs(pools) do
      if pool.due == due_key_of_pool then
        return pool
      end
    end
    local pool = {due = due_key_of_pool, touched = {}, holders = {}}
    pool.name = string.sub(due_key_of_pool, #pools_key - #'pools' + #'pool-due:' + 1)
    redis.call('ZCARD', due_key_of_pool) -- type-checked before the first write
    local counts = read(field_of('c', pool))
    if counts then
      local capacity, held, sold = string.match(counts, '^(%d+) (%d+) (%d+)$')
      pool.capacity, pool.held, pool.sold = integer(capacity, 0, MOST), integer(held, 0, MOST), integer(sold, 0, MOST)
      pool.known = true
    end
    pools[#pools + 1] = pool
    return pool
  end

  function store.names()
    return read('names') or ''
  end

  function store.put_names(names)
    put('names', names)
  end

  function store.left(pool)
    return pool.capacity - pool.held - pool.sold
  end

  function store.count(pool, held, sold)
    pool.held, pool.sold = pool.held + held, pool.sold + sold
    if pool.held < 0 or pool.sold < 0 or store.left(pool) < 0 then
      error('SEATLOCK the counts of a pool do not add up')
    end
    put(field_of('c', pool), table.concat({digits(pool.capacity), digits(pool.held), digits(pool.sold)}, ' '))
  end

  local CLAIM = '^([^\n]*)\n(%d+)\n(%d+)\n(%d+)\n(%d+)\n(%d+)(p?r?)$'
  function store.claim(pool, holder)
    local value = read(field_of('h', pool, holder))
    if not value then
      return nil
    end
    local token, quantity, claim_epoch, fence, deadline, limit, mark = string.match(value, CLAIM)
    if not token then
      error('SEATLOCK a claim on a pool is nothing that this script knows')
    end
    deadline = tonumber(deadline)
    return {token = token, quantity = tonumber(quantity), epoch = claim_epoch, fence = tonumber(fence),
            deadline = deadline, limit = tonumber(limit), mark = mark, past = now > deadline}
  end

  -- What becomes due, or is due no more, is decided by what the claim is in the end.
  local function touch(pool, holder)
    if not pool.touched[holder] then
      pool.touched[holder] = true
      pool.holders[#pool.holders + 1] = holder
    end
  end

  -- Writes a claim, or ends it where its quantity is 0. Counting is up to the caller.
  function store.put_claim(pool, holder, claim)
    local limit = table.concat({digits(claim.limit), claim.mark})
    put(field_of('h', pool, holder), claim.quantity > 0 and table.concat({claim.token, digits(claim.quantity),
      claim.epoch, numeral(claim.fence), digits(claim.deadline), limit}, '\n'))
    touch(pool, holder)
  end

  function store.end_claim(pool, holder, claim)
    store.count(pool, -claim.quantity, 0)
    claim.quantity = 0
    store.put_claim(pool, holder, claim)
  end

  local SALE = '^([^\n]*)\n([^\n]*)\n(%d+)\n(%d+)\n([^\n]*)\n([^\n]*)$'
  function store.sale(pool, key)
    local value = read(field_of('s', pool, key))
    if not value then
      return nil
    end
    local token, holder, quantity, since, booking, payment = string.match(value, SALE)
    if not token then
      error('SEATLOCK a sale of a pool is nothing that this script knows')
    end
    local sale_epoch, fence = string.match(key, '^(%d+)%-(%d+)$')
    return {token = token, holder = holder, quantity = tonumber(quantity), since = tonumber(since), booking = booking,
            payment = payment, epoch = sale_epoch, fence = tonumber(fence)}
  end

  local function field_of_owner(pool, token, holder)
    return field_of('t', pool, table.concat({token, holder}, '\n'))
  end

  function store.sale_to(pool, token, holder)
    local key = read(field_of_owner(pool, token, holder))
    if key then
      return store.sale(pool, key), key
    end
  end

  local function key_of(sale)
    return table.concat({sale.epoch, numeral(sale.fence)}, '-')
  end

  function store.put_sale(pool, sale)
    store.count(pool, 0, sale.quantity)
    if sale.token ~= '' then -- else the ledger alone knows whose it is: no token comes back for it
      put(field_of_owner(pool, sale.token, sale.holder), key_of(sale))
    end
    put(field_of('s', pool, key_of(sale)), table.concat({sale.token, sale.holder, digits(sale.quantity),
      digits(sale.since), sale.booking, sale.payment}, '\n'))
  end

  function store.end_sale(pool, sale)
    store.count(pool, 0, -sale.quantity)
    put(field_of_owner(pool, sale.token, sale.holder), false)
    put(field_of('s', pool, key_of(sale)), false)
  end

  -- Takes claims back whose time has passed, a bounded number once a script; how many were looked at is kept.
  function store.sweep(pool, limit)
    if not pool.looked then
      local due = redis.call('ZRANGEBYSCORE', pool.due, '-inf', '(' .. digits(now), 'LIMIT', '0', digits(limit))
      for _, holder in ipairs(due) do
        local claim = store.claim(pool, holder)
        if claim and claim.past then
          store.end_claim(pool, holder, claim)
        else
          touch(pool, holder) -- what is due too early is put off, or dropped
        end
      end
      pool.looked, pool.more_due = #due, #due == limit
    end
  end

  -- Changes of pools as the change stream tells them, behind those of seats.
  function store.with_changes(pairs_of_changes)
    local all = {unpack(pairs_of_changes)}
    for _, pool in ipairs(pools) do
      local counts = field_of('c', pool)
      if changed[counts] then
        all[#all + 1] = field_of('pool', pool)
        all[#all + 1] = stock[counts]
      end
    end
    return all
  end

  -- What becomes due is written first, so that nothing is claimed that is not due; then claims, sales and counts of all
  -- pools in one command; then what is due no more goes, and the fields without content.
  function store.write()
    local sets, drops, gone = {}, {}, {}
    for _, pool in ipairs(pools) do
      local adds = {}
      gone[pool] = {}
      for _, holder in ipairs(pool.holders) do
        local claim = store.claim(pool, holder)
        if claim then
          adds[#adds + 1] = digits(claim.deadline)
          adds[#adds + 1] = holder
        else
          gone[pool][#gone[pool] + 1] = holder
        end
      end
      if #adds > 0 then
        redis.call('ZADD', pool.due, unpack(adds))
      end
    end
    for field in pairs(changed) do
      sets[#sets + 1] = field
      sets[#sets + 1] = stock[field] or ''
      if not stock[field] then
        drops[#drops + 1] = field
      end
    end
    if #sets > 0 then
      redis.call('HSET', pools_key, unpack(sets))
    end
    for _, pool in ipairs(pools) do
      if #gone[pool] > 0 then
        redis.call('ZREM', pool.due, unpack(gone[pool]))
      end
    end
    if #drops > 0 then
      redis.call('HDEL', pools_key, unpack(drops))
    end
  end

  return store
end
