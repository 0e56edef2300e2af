-- reclaim: confirms N holds as confirm does; one whose time has run out is regained under a new token, and sold in the
-- same moment, where all of its seats are still free and as many are left of its pools. Without a new token it is
-- confirm and no more.
--
-- KEYS  meta seats due changes outbox passes grants queue | lock (one a seat)   then pools, then holder, with limits
-- ARGV  requests | owner booking payment token_hash new_token new_booking new_hash (deadline_ms seats)
-- REPLY noshow
--       strict                                          the ledger decides what is sold; nothing was done
--       limits                                          there are limits, and no lists came; nothing was done
--       ok, then for each request one of
--         booked epoch fence at_ms                      the hold was in time
--         regained epoch fence at_ms booking            it was not, and its seats are sold under the new token
--         again epoch fence at_ms booking               confirmed or regained before, with the same payment
--         conflict epoch fence at_ms booking payment (place quantity)...
--                                                       confirmed or regained before, with another payment or other
--                                                       seats: the booking's own are at these places
--         lost (place reason)...
--         more                                          a pool has more to take back than one call may: ask again
local FIXED_KEYS = 8
local meta_key, seats_key, due_key, changes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local outbox_key, passes_key, grants_key, queue_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
-- @include clock
-- @include terms
-- @include fast
-- @include lock
-- @include read
local LETTER, FACT = 's', 'confirmed'
-- @include sale
-- @include regain
-- @include over

local given, longest = integer(facts[4], 0, 2 ^ 40 - 1), now + integer(facts[5], 1, 86400000)
local fence = given
local regained = {} -- keys and new locks, pair by pair

-- Whether every seat is still the owner's or free for all, having run out of time; else the answer says what is not.
local function all_there(lost, head, first, count)
  local there = true
  for at = 2, #lost, 2 do
    local place = lost[at] <= count and place_of[names[first + lost[at]]] -- behind the seats are pools
    if place and not fence_if_held(locks[place], head) then -- else a call that was stopped half-way has regained it
      local mirror = mirrors[place]
      if lost[at + 1] == 'expired' and not (mirror and is_free(mirror, channel_of(mirror))) then
        lost[at + 1] = mirror and 'taken' or 'lost'
      end
      there = there and lost[at + 1] == 'expired'
    end
  end
  return there
end

local function places_of(first, count)
  local places = {}
  for index = 1, count do
    places[index] = place_of[names[first + index]]
  end
  return places
end

local function confirm_regained(new_owner, booking, payment, token_hash, told, first, count, wanted)
  if wanted then
    claims.regaining = true
  end
  local anew = confirm_hold(new_owner, booking, payment, token_hash, told, first, count, wanted)
  if wanted then
    claims.regaining = false
  end
  return anew
end

local function answer(owner, booking, payment, token_hash, new, told, first, count, wanted)
  local usual = confirm_hold(owner, booking, payment, token_hash, told, first, count, wanted)
  if usual[1] ~= 'lost' or new.token == '' then
    return usual
  end
  local new_owner = new.token .. '\n' .. holder_of(owner)
  local anew = confirm_regained(new_owner, new.booking, payment, new.hash, told, first, count, wanted)
  if anew[1] == 'lost' then
    local head = held_by(new_owner)
    local there, more = true, false
    if wanted then
      there, more = pools_there(usual, wanted, owner, new_owner, count, told)
    end
    if not all_there(usual, head, first, count) or not there then
      return usual
    elseif more then
      taken_back = true -- so that asking again gets further
      return {'more'}
    elseif lists and exceeded(holder_of(owner), places_of(first, count), wanted, moved_of(wanted, owner, new_owner))
    then
      return usual -- its holder has as much by now as the show allows
    end
    fence = fence + 1
    local value = held_lock(head, epoch, fence, longest, longest, '')
    for index = 1, count do
      local place = place_of[names[first + index]]
      regained[#regained + 1] = KEYS[FIXED_KEYS + place]
      regained[#regained + 1] = value
      replace_lock(place, value)
    end
    if wanted then
      hold_apart(wanted, owner, new_owner, fence, longest)
    end
    anew = confirm_regained(new_owner, new.booking, payment, new.hash, told, first, count, wanted)
  end
  if anew[1] == 'booked' then
    return {'regained', anew[2], anew[3], anew[4], new.booking}
  end
  return anew
end

local BOUNDS = {0, 2 ^ 49, 0, 512}
local reply = {'ok'}
local argument, place = 2, 0
local requests = integer(ARGV[1], 1, 512)
if #ARGV > 8 * requests + 1 then
  read_extras(8 * requests + 2, requests)
end
for request = 1, requests do
  local terms = terms_of(ARGV[argument + 7], BOUNDS)
  if terms[2] == 0 then
    check_wants(request)
  end
  local new = {token = ARGV[argument + 4], booking = ARGV[argument + 5], hash = ARGV[argument + 6]}
  reply[request + 1] = answer(ARGV[argument], ARGV[argument + 1], ARGV[argument + 2], ARGV[argument + 3], new, terms[1],
    place, terms[2], wants[request])
  argument, place = argument + 8, place + terms[2]
end

if fence > given then
  redis.call('HSET', meta_key, 'fence', digits(fence))
  write_lists()
  -- Held first: if this script is stopped before they are sold, asking again sells them with the same fence.
  for at = 1, #regained, 2 do
    redis.call('SET', regained[at], regained[at + 1], 'PXAT', digits(longest))
  end
  if early then
    early.write()
  end
end
write_sales()
return reply
