-- confirm: turns N holds into bookings; the outbox entry is written by the same script that marks the seats sold.
--
-- KEYS  meta seats due changes outbox | lock (one a seat, request by request)
-- ARGV  requests | token holder booking payment deadline_ms seats
-- REPLY noshow
--       ok, then for each request one of
--         booked epoch fence at_ms
--         again epoch fence at_ms booking               confirmed before, with the same payment
--         conflict epoch fence at_ms booking payment    confirmed before, with another payment or other seats
--         lost (place reason)...
local FIXED_KEYS = 5
local meta_key, seats_key, due_key, changes_key, outbox_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- @include clock
-- @include show
-- @include lock
-- @include read
-- @include batch
-- @include ownership
-- @include outbox

redis.call('ZCARD', due_key) -- type-checked before the first write
check_changes()
check_outbox()
local values, entries = {}, {}

-- What the seats of one hold are now: how many are ours and held, the first sale under our token, what is lost.
local function look(token, holder, told, first, count)
  local held, sale, same_sale, sold, lost = 0, nil, true, 0, {}
  for index = 1, count do
    local place = place_of[names[first + index]]
    local lock = lock_at(place)
    local own = lock and lock.token == token and lock.holder == holder
    if own and lock.state == 'h' and not lock.past then
      held = held + 1
    elseif own and lock.state == 's' then
      sold = sold + 1
      sale = sale or lock
      same_sale = same_sale and lock.booking == sale.booking
    else
      lost[#lost + 1] = index
      lost[#lost + 1] = loss(lock, mirrors[place], token, holder, told)
    end
  end
  return held, sale, same_sale and sold == count, lost
end

local function answer(token, holder, booking, payment, told, first, count)
  local held, sale, all_sold, lost = look(token, holder, told, first, count)
  if all_sold and sale.payment == payment then
    for index = 1, count do -- a mirror that fell behind is set right
      local place = place_of[names[first + index]]
      if mirrors[place] and string.sub(mirrors[place], 1, 1) ~= 's' then
        mirrors[place] = 's' .. category_of(mirrors[place])
        change(names[place], mirrors[place])
      end
    end
    return {'again', tonumber(sale.epoch), tonumber(sale.fence), sale.since, sale.booking}
  elseif sale then
    return {'conflict', tonumber(sale.epoch), tonumber(sale.fence), sale.since, sale.booking, sale.payment}
  elseif held < count then
    return {'lost', unpack(lost)}
  end

  local seats, places = {}, {}
  for index = 1, count do
    places[index] = place_of[names[first + index]]
  end
  local hold = whole_hold(places)
  local fence = digits(hold.fence)
  local value = sold_lock(token, holder, hold.epoch, fence, now, booking, payment)
  for index, place in ipairs(places) do
    seats[index] = names[place]
    values[#values + 1] = KEYS[FIXED_KEYS + place]
    values[#values + 1] = value
    replace_lock(place, value)
    mirrors[place] = 's' .. category_of(mirrors[place] or 's')
    change(names[place], mirrors[place])
  end
  entries[#entries + 1] = {'confirmed', booking, holder, table.concat(seats, '\n'), payment, hold.epoch, fence}
  return {'booked', tonumber(hold.epoch), hold.fence, now}
end

local reply = {'ok'}
local argument, place = 2, 0
for request = 1, integer(ARGV[1], 1, 512) do
  local count = integer(ARGV[argument + 5], 1, 512)
  local told = integer(ARGV[argument + 4], 0, 2 ^ 49)
  reply[request + 1] = answer(
    ARGV[argument], ARGV[argument + 1], ARGV[argument + 2], ARGV[argument + 3], told, place, count)
  argument, place = argument + 6, place + count
end

if #order > 0 then
  local fields = changed_fields()
  add_to_outbox(entries)
  next_version()
  publish(fields)
  if #values > 0 then
    redis.call('MSET', unpack(values)) -- MSET also takes the expiry away: this is the PERSIST of every seat at once
  end
  redis.call('HSET', seats_key, unpack(fields))
  redis.call('ZREM', due_key, unpack(order))
end
return reply
