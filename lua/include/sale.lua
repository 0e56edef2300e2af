-- @include batch
-- @include limits
-- @include claims
-- @include ownership
-- @include outbox
-- Selling what is held: what confirm, reclaim and pin have in common. `confirm_hold` decides one request, `write_sales`
-- writes what a batch of them decided. The script says by LETTER what becomes of a seat, sold or pinned, and by FACT
-- what the outbox is told.
redis.call('ZCARD', due_key) -- type-checked before the first write
local bought -- holders whose passes end, on a show that has a waiting room
if facts[9] then
  bought = {}
  redis.call('ZCARD', passes_key)
  redis.call('HLEN', grants_key)
  redis.call('ZCARD', queue_key)
end
check_changes()
check_outbox()
local values, sold = {}, {}
local taken_back = false -- whether due claims that were taken back are to be written, also where nothing is sold

-- What the seats and claims of a hold that cannot be confirmed are: the first sale under its token, the places and
-- quantities of what this sale has, what is lost, and whether the quantities are those asked for.
local function look(token, holder, told, first, count, wanted)
  local sale, booked, lost, same = nil, {}, {}, true
  for index = 1, count do
    local place = place_of[names[first + index]]
    local lock = lock_at(place)
    local own = lock and lock.token == token and lock.holder == holder
    if own and (lock.state == 's' or lock.state == LETTER) then
      sale = sale or lock
      if lock.booking == sale.booking then
        booked[#booked + 1] = index
        booked[#booked + 1] = 1
      end
    elseif not own or lock.past or lock.state ~= 'h' then
      lost[#lost + 1] = index
      lost[#lost + 1] = loss(lock, mirrors[place], token, holder, told)
    end
  end
  if wanted then
    sale, same = claims.explain(wanted, token, holder, count, told, sale, booked, lost)
  end
  return sale, booked, lost, same
end

-- The seats and the hold, if every seat is held by its owner and in time: the way most confirms go.
local TAIL = '^(%d+)\n(%d+)\n(%d+)\n%d+p?r?$'
local function fence_if_held(lock, head)
  if lock and string.find(lock, head, 1, true) == 1 then
    local lock_epoch, fence, deadline = string.match(lock, TAIL, #head + 1)
    if deadline and now <= integer(deadline, 0, 2 ^ 49) then
      return tonumber(fence), lock_epoch
    end
  end
end

local function set_state(place, letter)
  local mirror = letter .. kind_of(mirrors[place] or letter)
  mirrors[place] = mirror
  change(names[place], mirror)
end

-- Why the hold is not there to be confirmed: it was before, or it is lost.
local function explain(token, holder, payment, told, first, count, wanted)
  local sale, booked, lost, same = look(token, holder, told, first, count, wanted)
  local all = count + (wanted and #wanted or 0)
  if not sale then
    for index = 1, lists and count or 0 do
      local place = place_of[names[first + index]]
      strike(holder, place, lock_at(place))
    end
    if wanted then
      claims.list(wanted, token, holder, mend)
      claims.strike(wanted, holder)
    end
    return {'lost', unpack(lost)}
  elseif #booked < 2 * all or not same or sale.payment ~= payment then
    return {'conflict', tonumber(sale.epoch), sale.fence, sale.since, sale.booking, sale.payment, unpack(booked)}
  end
  local finalised = {} -- places of pins that have been sold since
  for index = 1, count do -- a mirror that fell behind is set right
    local place = place_of[names[first + index]]
    local state = lock_at(place).state
    if mirrors[place] and string.sub(mirrors[place], 1, 1) ~= state then
      set_state(place, state)
    end
    if state ~= LETTER then
      finalised[#finalised + 1] = index
    end
    if lists and mirrors[place] then
      mend(holder, names[place], as_listed(mirrors[place]))
    end
  end
  if wanted then
    claims.list(wanted, token, holder, mend)
  end
  return {'again', tonumber(sale.epoch), sale.fence, sale.since, sale.booking, unpack(finalised)}
end

local function sell(place, value, owner)
  local at = #values
  values[at + 1], values[at + 2] = KEYS[FIXED_KEYS + place], value
  replace_lock(place, value)
  sold[#sold + 1] = names[place]
  set_state(place, LETTER)
  if lists then
    enlist(holder_of(owner), names[place], as_listed(mirrors[place]))
  end
end

local function confirm_hold(owner, booking, payment, token_hash, told, first, count, wanted)
  local head = held_by(owner)
  local fence, hold_epoch = 0, nil
  for index = 1, count do
    local seat_fence, seat_epoch = fence_if_held(locks[place_of[names[first + index]]], head)
    if not seat_fence then
      return explain(token_of(owner), holder_of(owner), payment, told, first, count, wanted)
    elseif seat_fence >= fence then
      fence, hold_epoch = seat_fence, seat_epoch
    end
  end
  if wanted then
    local claimed = claims.to_sell(wanted, token_of(owner), holder_of(owner), booking, payment, count)
    if not claimed then
      return explain(token_of(owner), holder_of(owner), payment, told, first, count, wanted)
    end
    for _, claim in ipairs(claimed) do
      if claim.fence >= fence then
        fence, hold_epoch = claim.fence, claim.epoch
      end
    end
    claims.sell(wanted, claimed, {token = token_of(owner), holder = holder_of(owner), since = now, booking = booking,
                                  payment = payment, epoch = hold_epoch, fence = fence})
    claims.list(wanted, token_of(owner), holder_of(owner), enlist)
  end
  local value = booked_lock(LETTER, owner, hold_epoch, fence, now, booking, payment)
  for index = 1, count do
    sell(place_of[names[first + index]], value, owner)
  end
  local seats = count == 1 and names[first + 1] or table.concat(names, '\n', first + 1, first + count)
  note(FACT, booking, holder_of(owner), seats, payment, hold_epoch, fence, token_hash,
    wanted and pools_text(wanted, 'quantity'))
  if bought then
    bought[#bought + 1] = holder_of(owner)
  end
  return {'booked', tonumber(hold_epoch), fence, now}
end

-- Whose admission was stopped half-way has the place still that it let in, and one place is let in once. A place that
-- was taken since the pass ended is another one, and stays.
local function places_let_in()
  local queued = redis.call('ZMSCORE', queue_key, unpack(bought))
  local until_ms = redis.call('ZMSCORE', passes_key, unpack(bought))
  local granted = redis.call('HMGET', grants_key, unpack(bought))
  local found = {}
  for at, holder in ipairs(bought) do
    local place = queued[at] and until_ms[at] and string.match(granted[at] or '', '^%d+')
    if place and tonumber(place) == tonumber(queued[at]) then
      found[#found + 1] = holder
    end
  end
  return found
end

-- Last of all: a script that is stopped before leaves somebody a pass for longer, and takes no booking from anybody.
local function end_passes()
  if bought and #bought > 0 then
    local places = places_let_in()
    if #places > 0 then
      redis.call('ZREM', queue_key, unpack(places))
    end
    redis.call('ZREM', passes_key, unpack(bought))
    redis.call('HDEL', grants_key, unpack(bought))
  end
end

local function write_sales()
  if #fields > 0 or #facts_noted > 0 or taken_back then
    write_outbox()
    local told = store and store.with_changes(fields) or fields
    if #told > 0 then
      next_version()
      publish(told)
    end
    write_lists()
    if store then
      store.write()
    end
    if #values > 0 then
      redis.call('MSET', unpack(values)) -- MSET also takes the expiry away: this is the PERSIST of every seat at once
    end
    if #fields > 0 then
      redis.call('HSET', seats_key, unpack(fields))
    end
    if #sold > 0 then
      redis.call('ZREM', due_key, unpack(sold)) -- a sold seat that is still due does no harm
    end
    drop_last()
    end_passes()
  else
    write_lists()
  end
end
