-- @include extras
-- @include lock
-- @include pools
-- @include limits
-- What requests want of pools: lists of a pool and a quantity, by the number of the request. The pools of a batch stand
-- behind its locks, their hash first, then their due sets. In answers, a request's pools are places behind its seats.
local store, wants = nil, {}

-- What the verbs do to claims; made only where a request wants something of a pool.
local function open_claims()
  local claims = {}

  -- Where the claim of an owner stands: with its holder, or while it is being regained apart from what its holder may
  -- have claimed meanwhile. Half of a token is address enough; whole tokens are compared. See regain.
  function claims.apart_from(holder, token)
    return table.concat({holder, string.sub(token, 1, 16)}, '\n')
  end

  local function slot_of(token, holder)
    return claims.regaining and claims.apart_from(holder, token) or holder
  end

  local function own_claim(want, token, holder)
    local claim = store.claim(want.pool, slot_of(token, holder))
    if claim and not claim.past and claim.token == token and claim.quantity >= want.quantity then
      return claim
    end
  end

  -- The list of the holder, where there are limits: what it says of pools becomes what is so. `put` is `enlist` where
  -- something of it changes, else `mend`.
  function claims.list(wanted, token, holder, put)
    for _, want in ipairs(lists and wanted or {}) do
      local name = entry_of('h', want.pool)
      local claim, sale, key = store.claim(want.pool, holder), store.sale_to(want.pool, token, holder)
      if claim then -- one that is past goes when the list is written
        put(holder, name, table.concat({'h:', digits(claim.deadline), ' ', digits(claim.quantity)}))
      else
        mend(holder, name, nil)
      end
      if sale then
        put(holder, entry_of('s', want.pool, key), table.concat({'s ', digits(sale.quantity)}))
      end
    end
  end

  -- Takes off a list the sales that a script told of which was stopped before it made them.
  function claims.strike(wanted, holder)
    for _, want in ipairs(lists and wanted or {}) do
      local head = entry_of('s', want.pool, '')
      for name in pairs(list_of(holder).seats) do
        local sale = string.sub(name, 1, #head) == head and store.sale(want.pool, string.sub(name, #head + 1))
        if sale == nil or sale and sale.holder ~= holder then
          mend(holder, name, nil)
        end
      end
    end
  end

  -- acquire: sorts what is wanted as seats are sorted: under its own token, under another token of the same holder, to
  -- be taken, or in the way. A claim that is past ends here; a pool that falls short is swept first.
  local SWEEP = 128 -- claims that one batch takes back a pool

  local function soonest(pool)
    if not pool.soonest then
      local due = redis.call('ZRANGEBYSCORE', pool.due, digits(now), '(+inf', 'LIMIT', '0', '1', 'WITHSCORES')
      pool.soonest = tonumber(due[2] or '') or now - 1
    end
    return pool.soonest
  end

  local function refuse(refused, place, pool, state, left, mark)
    store.sweep(pool, SWEEP) -- so that what has run out is among those told to be left
    local at = #refused
    refused[at + 1], refused[at + 2], refused[at + 3] = place, STATES[state], left
    refused[at + 4] = table.concat({mark, digits(store.left(pool))}, ' ')
  end

  local function fall_short(found, place, pool, refused)
    if pool.more_due then
      found.again = true
    elseif pool.held > 0 then
      refuse(refused, place, pool, 'h', soonest(pool) - now, 'left')
    else
      refuse(refused, place, pool, 's', -1, 'left')
    end
  end

  local function look_at(found, want, place, token, holder, refused)
    local pool, quantity = want.pool, want.quantity
    local claim = store.claim(pool, holder)
    if claim and claim.past then
      store.end_claim(pool, holder, claim)
      claim = nil
    end
    if claim and claim.token ~= token then
      refuse(refused, place, pool, 'h', claim.deadline - now, 'yours')
      if quantity <= claim.quantity then
        found.yours[#found.yours + 1] = claim
      end
      return
    end
    found.own[#found.own + 1] = claim -- also one that is to grow
    local has = claim and claim.quantity or 0
    if quantity <= has then
      found.owned = found.owned + 1
    elseif store.sale_to(pool, token, holder) then
      refuse(refused, place, pool, 's', -1, 'yours')
    else
      found.take[#found.take + 1] = want
      if store.left(pool) < quantity - has then
        store.sweep(pool, SWEEP)
        if store.left(pool) < quantity - has then
          fall_short(found, place, pool, refused)
        end
      end
    end
  end

  function claims.look(wanted, token, holder, count, refused)
    local found = {own = {}, owned = 0, yours = {}, take = {}, unknown = {}}
    for index, want in ipairs(wanted) do
      if want.pool.known then
        look_at(found, want, count + index, token, holder, refused)
      else
        table.insert(found.unknown, count + index)
      end
    end
    return found
  end

  function claims.take(wanted, token, holder, hold)
    for _, want in ipairs(wanted) do
      local claim = store.claim(want.pool, holder)
      local times = claim or hold -- a claim that grows keeps its own, and its marks: one that was resumed stays so
      store.count(want.pool, want.quantity - (claim and claim.quantity or 0), 0)
      store.put_claim(want.pool, holder, {token = token, quantity = want.quantity, epoch = hold.epoch,
                                          fence = hold.fence, deadline = times.deadline, limit = times.limit,
                                          mark = times.mark})
    end
  end

  -- Why a claim is not the caller's; `deadline` is the one that the caller was told.
  local function loss_of(want, token, holder, deadline)
    local claim = store.claim(want.pool, holder)
    if store.sale_to(want.pool, token, holder) then
      return 'sold'
    elseif now > deadline or claim and claim.past and claim.token == token then
      return 'expired'
    end
    return 'released'
  end

  -- extend: the claims, or what is lost of them.
  function claims.owned(wanted, token, holder, count, deadline, lost)
    local owned = {}
    for index, want in ipairs(wanted) do
      local claim = own_claim(want, token, holder)
      owned[#owned + 1] = claim
      if not claim then
        lost[#lost + 1] = count + index
        lost[#lost + 1] = loss_of(want, token, holder, deadline)
      end
    end
    return owned
  end

  -- True if any of them changes.
  function claims.extend(wanted, holder, owned, begins, ttl, overtime)
    local changed = false
    for index, claim in ipairs(owned) do
      local deadline, mark = claim.deadline, claim.mark
      if begins == 0 then
        deadline = math.max(deadline, math.min(now + ttl, claim.limit))
      elseif not is_paying(claim) then
        deadline, mark = math.max(deadline, math.min(now + ttl, claim.limit + overtime)), paying_mark(claim)
      end
      if deadline > claim.deadline or mark ~= claim.mark then
        claim.deadline, claim.mark, changed = deadline, mark, true
        store.put_claim(wanted[index].pool, holder, claim)
      end
    end
    return changed
  end

  -- acquire: from now on a caller that went away gives these claims back no more. True if one was not marked before.
  function claims.mark_resumed(wanted, holder)
    local marked = false
    for _, want in ipairs(wanted) do
      local claim = store.claim(want.pool, holder)
      if not is_resumed(claim) then
        claim.mark, marked = table.concat({claim.mark, 'r'}), true
        store.put_claim(want.pool, holder, claim)
      end
    end
    return marked
  end

  -- confirm: the claims to sell; in their place the sales that a script stopped half-way has made already. Nothing if
  -- any is missing, or if there is nothing left to sell.
  function claims.to_sell(wanted, token, holder, booking, payment, count)
    local found, pending = {}, count
    for index, want in ipairs(wanted) do
      local sale, claim = store.sale_to(want.pool, token, holder), own_claim(want, token, holder)
      if sale and sale.booking == booking and sale.payment == payment and sale.quantity == want.quantity then
        found[index] = sale
      elseif sale or not claim then
        return nil
      else
        found[index], pending = claim, pending + 1
      end
    end
    return pending > 0 and found
  end

  -- What is left of a claim that has grown is given back: its token gets no more of the pool, so nobody could buy it.
  function claims.sell(wanted, found, sale)
    for index, want in ipairs(wanted) do
      local claim = found[index]
      if claim.deadline then
        if lists and claim.quantity > want.quantity and not claims.regaining then
          delist_last(sale.holder, entry_of('h', want.pool))
        end
        store.end_claim(want.pool, slot_of(sale.token, sale.holder), claim)
        sale.quantity = want.quantity
        store.put_sale(want.pool, sale)
      end
    end
  end

  -- confirm: what became of claims that cannot be sold; see `look` there.
  function claims.explain(wanted, token, holder, count, deadline, sale, booked, lost)
    local same = true
    for index, want in ipairs(wanted) do
      local sold = store.sale_to(want.pool, token, holder)
      if sold then
        sale = sale or sold
        if sold.booking == sale.booking then
          booked[#booked + 1] = count + index
          booked[#booked + 1] = sold.quantity
        end
        same = same and sold.quantity == want.quantity
      elseif not own_claim(want, token, holder) then
        lost[#lost + 1] = count + index
        lost[#lost + 1] = loss_of(want, token, holder, deadline)
      end
    end
    return sale, same
  end

  -- release: how many of each pool are given back: all that the token has there, so that it happens once.
  function claims.release(wanted, token, holder, undo, words)
    for _, want in ipairs(wanted) do
      local claim, given_back = store.claim(want.pool, holder), 0
      if claim and not claim.past and claim.token == token and not (undo and is_resumed(claim)) then
        given_back = claim.quantity
        store.end_claim(want.pool, holder, claim)
      end
      words[#words + 1] = given_back
    end
  end

  -- cancel: how many of each pool are given back; the sale itself, of any of them.
  function claims.cancel(wanted, booking, booking_epoch, fence, words)
    local found
    for _, want in ipairs(wanted) do
      local key = table.concat({digits(booking_epoch), numeral(fence)}, '-')
      local sale, entry = store.sale(want.pool, key), lists and entry_of('s', want.pool, key)
      want.cancelled = 0
      if sale and sale.booking == booking then
        want.cancelled, found = sale.quantity, sale
        store.end_sale(want.pool, sale)
        if lists then
          mend(sale.holder, entry, nil)
        end
      end
      for holder in pairs(not sale and lists or {}) do -- whose booking it was is not told
        mend(holder, entry, nil)
      end
      words[#words + 1] = want.cancelled
    end
    return found
  end

  return claims
end

local claims
function takes.p(request, rest)
  store = store or open_pools(KEYS[last_lock + 1])
  claims = claims or open_claims()
  local number, quantity = string.match(rest, '^(%d+) (%d+)$')
  local at = last_lock + 1 + integer(number, 1, 32)
  if not KEYS[at] then
    error('SEATLOCK an argument behind the requests names a pool that is not among the keys')
  end
  wants[request] = wants[request] or {}
  table.insert(wants[request], {pool = store.pool(KEYS[at]), quantity = integer(quantity, 1, 10 ^ 6)})
end

-- A request without seats has to want something of a pool.
local function check_wants(request)
  if not wants[request] then
    integer('0', 1, 512)
  end
end

-- What the outbox tells of pools: a line each, the quantity and the name.
local function pools_text(wanted, key)
  local lines = {}
  for _, want in ipairs(wanted) do
    if want[key] > 0 then
      lines[#lines + 1] = table.concat({digits(want[key]), want.pool.name}, ' ')
    end
  end
  return table.concat(lines, '\n')
end
