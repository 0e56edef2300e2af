-- join: gives each of N holders a place in the line, or tells them of the one that they have. Whoever asks is present.
--
-- KEYS  room queue passes grants early drawn here_0 here_1 kept_0 kept_1 |
-- ARGV  | holder
-- REPLY noroom
--       ok status now_ms served slow fast people poll_ms opens_ms, then for each request one of
--         waiting place ahead back
--         admitted place left_ms deadline_ms renewals
--         early                                      order is drawn when the room opens
--         full most
--         over                                       the room takes nobody any more, as its status says
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local early_key, drawn_key, here_keys, kept_keys = KEYS[5], KEYS[6], {KEYS[7], KEYS[8]}, {KEYS[9], KEYS[10]}
local holders = {unpack(ARGV)}
-- @include present

local length = redis.call('ZCARD', queue_key) - 1 -- the sentinel is nobody
local most = integer(room.most, 1, MOST_PLACES)
local new, new_of, early_new, ended = {}, {}, {}, {}

local function draw(holder)
  if last_place >= MOST_PLACES then
    error('SEATLOCK the room has given all places that there are: make it anew')
  end
  last_place, length = last_place + 1, length + 1
  new[#new + 1], new[#new + 2] = digits(last_place), holder
  new_of[holder] = {place = last_place, ahead = length - 1}
  hear(last_place)
end

local function answer(request)
  local holder = holders[request]
  local known, pass = standing(request)
  if pass then
    return told(request, pass)
  elseif known then
    if known[1] == 'waiting' then
      hear(known[2])
    end
    return known
  elseif new_of[holder] then
    return waiting(new_of[holder].place, new_of[holder].ahead)
  elseif early_new[holder] then
    return {'early'}
  elseif room.status == 'closed' or room.status == 'sold_out' then
    return {'over'}
  elseif length + undrawn >= most then
    return {'full', most}
  end
  if until_ms[request] then -- a pass that has ended, and would count again if the clock were set back
    ended[#ended + 1] = holder
  end
  if room.status == 'early' then
    undrawn = undrawn + 1
    early_new[holder] = true
    early_new[#early_new + 1], early_new[#early_new + 2] = '0', holder
    return {'early'}
  end
  draw(holder)
  return waiting(new_of[holder].place, new_of[holder].ahead)
end

local reply = {'ok', serving()}
for request = 1, #holders do
  reply[#reply + 1] = answer(request)
end

-- The numbers are drawn before they are given: a script that is stopped in between leaves a gap, never one twice.
if #new > 0 or lowest < low then
  redis.call('HSET', room_key, 'next', digits(last_place), 'low', digits(lowest))
end
if #new > 0 then
  redis.call('ZADD', queue_key, 'NX', unpack(new))
end
if #early_new > 0 then
  redis.call('ZADD', early_key, 'NX', unpack(early_new))
end
if #ended > 0 then
  redis.call('HDEL', grants_key, unpack(ended))
  redis.call('ZREM', passes_key, unpack(ended))
end
mark_present()
keep_claims()
return reply
