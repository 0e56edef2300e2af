-- finalise: does what the ledger has decided of N bookings. What is sold there becomes sold to its booking, whoever
-- has it here, but for what is sold to somebody else; what is not comes free, but no more than the booking has. Asking
-- again does what a script left undone that was stopped half-way, and else writes nothing. With `tell`, the outbox is
-- told of the request, for those who want to know: the ledger has it on record.
--
-- KEYS  meta seats due changes outbox | lock (one a seat, request by request)   then pools, then holder, with limits
-- ARGV  requests | booking holder payment (sold tell epoch fence since_ms seats)
-- REPLY noshow
--       limits                                          there are limits, and no lists came; nothing was done
--       ok, then for each request one word a seat: sold, foreign, unknown, free or gone  and how many of each pool
local FIXED_KEYS = 5
local meta_key, seats_key, due_key, changes_key, outbox_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- @include clock
-- @include terms
-- @include show
-- @include lock
-- @include read
-- @include batch
-- @include claims
-- @include limits
-- @include outbox
-- @include first

redis.call('ZCARD', due_key) -- type-checked before the first write
redis.call('XLEN', outbox_key)
check_changes()
local places = {} -- whose locks change, one perhaps twice
local last = {} -- whose list is looked at once all else is written: a holder and a place, or a pool and its sale

local function put_lock(place, value)
  places[#places + 1] = place
  replace_lock(place, value)
end

local function put_mirror(place, field)
  if mirrors[place] ~= field then
    mirrors[place] = field
    change(names[place], field)
  end
end

-- A lost pin is made up for by a lock that no token opens: whoever holds the seat by now has lost it.
local function sell(words, index, place, of)
  local lock, mirror = lock_at(place), mirrors[place]
  local own = lock and lock.booking == of.booking
  if lock and (lock.foreign or lock.state == 's' and not own) then
    words[index] = 'foreign'
  elseif not mirror and not own then
    words[index] = 'unknown'
  else
    words[index] = 'sold'
    local owner = table.concat({own and lock.token or '', of.holder}, '\n')
    local value = booked_lock('s', owner, of.epoch, of.fence, own and lock.since or of.since, of.booking, of.payment)
    if value ~= locks[place] then
      put_lock(place, value)
    end
    put_mirror(place, 's' .. kind_of(mirror or 's'))
    if lists then
      mend(of.holder, names[place], as_listed(mirrors[place]))
    end
  end
end

-- Under a token used again the id comes again, but not the fence: an old booking never frees a newer one's seats.
local function free(words, index, place, of)
  local lock, mirror = lock_at(place), mirrors[place]
  if lock and lock.booking == of.booking and lock.fence == of.fence and lock.epoch == of.epoch then
    words[index] = 'free'
    put_lock(place, false)
    if mirror and string.find(mirror, '^[cfhps]') then -- one that says blocked stays as it is
      put_mirror(place, free_field(mirror))
    end
  else
    words[index] = 'gone'
  end
end

local SWEEP = 128 -- claims that one batch takes back a pool
local function sell_some(want, key, of)
  local pool = want.pool
  local sale = store.sale(pool, key)
  if not sale and pool.known then
    if store.left(pool) < want.quantity then
      store.sweep(pool, SWEEP)
    end
    if store.left(pool) >= want.quantity then
      sale = {token = '', holder = of.holder, quantity = want.quantity, since = of.since, booking = of.booking,
              payment = of.payment, epoch = of.epoch, fence = of.fence}
      store.put_sale(pool, sale)
    end
  end
  local sold = sale and sale.booking == of.booking and sale.quantity or 0
  if lists and sold > 0 then
    mend(of.holder, entry_of('s', pool, key), 's ' .. digits(sold))
  end
  return sold
end

local function free_some(want, key, of)
  local sale = store.sale(want.pool, key)
  if sale and sale.booking == of.booking then
    store.end_sale(want.pool, sale)
    return sale.quantity
  end
  return 0
end

local function answer(of, sold, tell, first, count, wanted)
  local words = {}
  for index = 1, count do
    local place = place_of[names[first + index]]
    if sold then
      sell(words, index, place, of)
    else
      free(words, index, place, of)
    end
    last[#last + 1] = {of.holder, place}
  end
  local key = table.concat({of.epoch, numeral(of.fence)}, '-')
  for index, want in ipairs(wanted or {}) do
    words[count + index] = sold and sell_some(want, key, of) or not sold and free_some(want, key, of)
    last[#last + 1] = {of.holder, want.pool, key}
  end
  if tell then
    note('recorded', of.booking, of.holder, table.concat(names, '\n', first + 1, first + count), of.payment, of.epoch,
      of.fence, '', wanted and pools_text(wanted, 'quantity'))
  end
  return words
end

local function mend_last()
  for _, each in ipairs(last) do
    local holder, where, key = unpack(each)
    if not key then
      strike(holder, where, lock_at(where))
    elseif not store.sale(where, key) then
      mend(holder, entry_of('s', where, key), nil)
    end
  end
end

local function write_locks()
  local values, drops, given = {}, {}, {}
  for at, place in ipairs(places) do
    given[at] = names[place]
    if locks[place] then
      values[#values + 1] = KEYS[FIXED_KEYS + place]
      values[#values + 1] = locks[place]
    else
      drops[#drops + 1] = KEYS[FIXED_KEYS + place]
    end
  end
  if #values > 0 then
    redis.call('MSET', unpack(values)) -- MSET also takes the expiry of a hold away
  end
  if #given > 0 then
    redis.call('ZREM', due_key, unpack(given))
  end
  if #drops > 0 then
    redis.call('DEL', unpack(drops)) -- last: while the lock is there, asking again does what is left to do
  end
end

local BOUNDS = {0, 1, 0, 1, 0, 2 ^ 40, 0, 2 ^ 40 - 1, 0, 2 ^ 49, 0, 512}
local reply = {'ok'}
local argument, place = 2, 0
local requests = integer(ARGV[1], 1, 512)
if #ARGV > 4 * requests + 1 then
  read_extras(4 * requests + 2, requests)
end
for request = 1, requests do
  local terms = terms_of(ARGV[argument + 3], BOUNDS)
  if terms[6] == 0 then
    check_wants(request)
  end
  local of = {booking = ARGV[argument], holder = ARGV[argument + 1], payment = ARGV[argument + 2],
              epoch = digits(terms[3]), fence = terms[4], since = terms[5]}
  reply[request + 1] = answer(of, terms[1] == 1, terms[2] == 1, place, terms[6], wants[request])
  argument, place = argument + 4, place + terms[6]
end

if #facts_noted > 0 then
  check_outbox()
end
begin_with_a_delete(due_key)
write_outbox()
local of_pools = store and store.dirty
if #fields > 0 or of_pools then
  next_version()
  publish(of_pools and store.with_changes(fields) or fields)
end
write_lists()
if #fields > 0 then
  redis.call('HSET', seats_key, unpack(fields))
end
if of_pools then
  store.write()
end
write_locks()
if lists then
  mend_last()
  write_lists()
end
return reply
