-- cancel: undoes N bookings; the seats that still belong to the booking become free.
--
-- KEYS  meta seats due changes outbox | lock (one a seat, request by request)   then pools, then holder, with limits
-- ARGV  requests | booking (epoch fence seats)
-- REPLY noshow
--       strict                                          the ledger decides what is sold; nothing was done
--       limits                                          there are limits, and no lists came; nothing was done
--       ok, then for each request one word a seat: cancelled or gone  and how many of each pool
local FIXED_KEYS = 5
local meta_key, seats_key, due_key, changes_key, outbox_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- @include clock
-- @include terms
-- @include fast
-- @include lock
-- @include read
-- @include batch
-- @include claims
-- @include limits
-- @include outbox
-- @include first

redis.call('ZCARD', due_key) -- type-checked before the first write
check_changes()
check_outbox()
local deletes, given_back = {}, {}

local function answer(booking, booking_epoch, fence, first, count, wanted)
  local words, seats, sale = {}, {}, nil
  for index = 1, count do
    local place = place_of[names[first + index]]
    local lock, mirror = lock_at(place), mirrors[place]
    -- Under a token used again the id comes again, but not the fence: an old booking never undoes a newer sale.
    if lock and lock.state == 's' and lock.booking == booking and lock.fence == fence and
      tonumber(lock.epoch) == booking_epoch then
      words[index] = 'cancelled'
      sale = lock
      seats[#seats + 1] = names[place]
      deletes[#deletes + 1] = KEYS[FIXED_KEYS + place]
      replace_lock(place, false)
      given_back[#given_back + 1] = names[place]
      -- A mirror that says blocked stays as it is; one that fell behind is set right.
      if mirror and string.find(mirror, '^[cfhs]') then
        change(names[place], free_field(mirror))
      end
      if lists then
        mend(sale.holder, names[place], nil)
      end
    else
      words[index] = 'gone'
      for holder, list in pairs(lists or {}) do -- whose booking it was is not told
        if list.seats[names[place]] then
          strike(holder, place, lock)
        end
      end
    end
  end
  local of_pools = wanted and claims.cancel(wanted, booking, booking_epoch, fence, words)
  sale = sale or of_pools
  if sale then
    note('cancelled', booking, sale.holder, table.concat(seats, '\n'), sale.payment, sale.epoch, sale.fence,
      '', of_pools and pools_text(wanted, 'cancelled'))
  end
  return words
end

local BOUNDS = {0, 2 ^ 40, 0, 2 ^ 40 - 1, 0, 512}
local reply = {'ok'}
local argument, place = 2, 0
local requests = integer(ARGV[1], 1, 512)
if #ARGV > 2 * requests + 1 then
  read_extras(2 * requests + 2, requests)
end
for request = 1, requests do
  local terms = terms_of(ARGV[argument + 1], BOUNDS)
  if terms[3] == 0 then
    check_wants(request)
  end
  reply[request + 1] = answer(ARGV[argument], terms[1], terms[2], place, terms[3], wants[request])
  argument, place = argument + 2, place + terms[3]
end

local of_pools = store and store.dirty
if #deletes > 0 or of_pools then
  begin_with_a_delete(due_key)
  if #deletes > 0 then
    redis.call('ZREM', due_key, unpack(given_back))
  end
  write_outbox()
  if #fields > 0 or of_pools then
    next_version()
    publish(of_pools and store.with_changes(fields) or fields)
  end
  if #fields > 0 then
    redis.call('HSET', seats_key, unpack(fields))
  end
  if of_pools then
    store.write()
  end
  if #deletes > 0 then
    redis.call('DEL', unpack(deletes)) -- last: while the lock is there nobody else can have the seat
  end
end
write_lists()
return reply
