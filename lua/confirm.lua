-- confirm: turns N holds into bookings; the outbox entry is written by the same script that marks the seats sold.
--
-- KEYS  meta seats due changes outbox | lock (one a seat, request by request)
-- ARGV  requests | token holder booking payment deadline_ms seats
-- REPLY noshow
--       ok, then for each request one of
--         booked epoch fence at_ms
--         again epoch fence at_ms booking               confirmed before, with the same payment
--         conflict epoch fence at_ms booking payment place...
--                                                       confirmed before, with another payment or other seats:
--                                                       the booking's own are at these places
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
local values, sold, entries = {}, {}, {}

-- What the seats of a hold that cannot be confirmed are: the first sale under its token, the places of the seats that
-- this sale has, and what is lost.
local function look(token, holder, told, first, count)
  local sale, booked, lost = nil, {}, {}
  for index = 1, count do
    local place = place_of[names[first + index]]
    local lock = lock_at(place)
    local own = lock and lock.token == token and lock.holder == holder
    if own and lock.state == 's' then
      sale = sale or lock
      if lock.booking == sale.booking then
        booked[#booked + 1] = index
      end
    elseif not own or lock.past or lock.state ~= 'h' then
      lost[#lost + 1] = index
      lost[#lost + 1] = loss(lock, mirrors[place], token, holder, told)
    end
  end
  return sale, booked, lost
end

-- The seats and the hold, if every seat is held by its owner and in time: the way most confirms go.
local TAIL = '^(%d+)\n(%d+)\n(%d+)\n%d+$'
local function held_whole(owner, first, count)
  local places, seats, hold_epoch, hold_fence = {}, {}, nil, 0
  for index = 1, count do
    local name = names[first + index]
    local place = place_of[name]
    local lock = locks[place]
    if not lock or string.find(lock, owner, 1, true) ~= 1 then
      return nil
    end
    local lock_epoch, fence, deadline = string.match(lock, TAIL, #owner + 1)
    if not deadline or now > tonumber(deadline) then
      return nil
    end
    fence = tonumber(fence)
    if fence >= hold_fence then
      hold_epoch, hold_fence = lock_epoch, fence
    end
    places[index], seats[index] = place, name
  end
  return places, seats, hold_epoch, hold_fence
end

local function set_sold(place)
  local mirror = 's' .. category_of(mirrors[place] or 's')
  mirrors[place] = mirror
  change(names[place], mirror)
end

-- Why the hold is not there to be confirmed: it was before, or it is lost.
local function explain(token, holder, payment, told, first, count)
  local sale, booked, lost = look(token, holder, told, first, count)
  if not sale then
    return {'lost', unpack(lost)}
  elseif #booked < count or sale.payment ~= payment then
    return {'conflict', tonumber(sale.epoch), sale.fence, sale.since, sale.booking, sale.payment, unpack(booked)}
  end
  for index = 1, count do -- a mirror that fell behind is set right
    local place = place_of[names[first + index]]
    if mirrors[place] and string.sub(mirrors[place], 1, 1) ~= 's' then
      set_sold(place)
    end
  end
  return {'again', tonumber(sale.epoch), sale.fence, sale.since, sale.booking}
end

local function answer(token, holder, booking, payment, told, first, count)
  local places, seats, hold_epoch, hold_fence = held_whole(held_by(token, holder), first, count)
  if not places then
    return explain(token, holder, payment, told, first, count)
  end
  local value = sold_lock(token, holder, hold_epoch, hold_fence, now, booking, payment)
  for _, place in ipairs(places) do
    local at = #values
    values[at + 1], values[at + 2] = KEYS[FIXED_KEYS + place], value
    replace_lock(place, value)
    sold[#sold + 1] = names[place]
    set_sold(place)
  end
  entries[#entries + 1] =
    {'confirmed', booking, holder, table.concat(seats, '\n'), payment, hold_epoch, digits(hold_fence)}
  return {'booked', tonumber(hold_epoch), hold_fence, now}
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

if #fields > 0 then
  add_to_outbox(entries)
  next_version()
  publish(fields)
  if #values > 0 then
    redis.call('MSET', unpack(values)) -- MSET also takes the expiry away: this is the PERSIST of every seat at once
  end
  redis.call('HSET', seats_key, unpack(fields))
  if #sold > 0 then
    redis.call('ZREM', due_key, unpack(sold)) -- last: a sold seat that is still due does no harm
  end
end
return reply
