-- leave: N holders give up their place, or their pass.
--
-- KEYS  room queue passes grants early drawn here_0 here_1 |
-- ARGV  | holder
-- REPLY noroom
--       ok status now_ms served slow fast people poll_ms opens_ms, then for each request one of
--         left
--         gone                                       had no place, and no pass in time
--         kept                                       early, and their list cannot change while it is drawn
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local early_key, drawn_key, here_keys = KEYS[5], KEYS[6], {KEYS[7], KEYS[8]}
local holders = {unpack(ARGV)}
-- @include line
-- @include silence

-- Whoever leaves once the list of the early is closed, and before all of them have their places, would change the order
-- for all others, and nobody could recompute it.
local list_stands = early_places > 0 and (room.status == 'drawing' or undrawn > 0)
local function answer(request)
  local place = queued[request]
  local of_the_early = place and tonumber(place) <= early_places or not place and (early[request] or drawn[request])
  if list_stands and of_the_early then
    return {'kept'}
  elseif place or early[request] or drawn[request] or in_time(request) then
    return {'left'}
  end
  return {'gone'}
end

local given_up = integer(redis.call('HMGET', room_key, 'gone')[1], 0, 2 ^ 49)
local reply, gone, leaving, lost = {'ok', serving()}, {}, {}, 0
for request, holder in ipairs(holders) do
  local answered = gone[holder] and {'gone'} or answer(request)
  reply[#reply + 1] = answered
  if answered[1] == 'left' then
    gone[holder] = true
    leaving[#leaving + 1] = holder
    if queued[request] then
      silence(queued[request])
      lost = lost + (until_ms[request] and 0 or 1) -- an admission that was stopped half-way left place and pass
    end
  end
end
if #leaving > 0 then
  redis.call('HDEL', grants_key, unpack(leaving))
  for _, key in ipairs({queue_key, passes_key, early_key, drawn_key}) do
    redis.call('ZREM', key, unpack(leaving))
  end
  if lost > 0 then -- told of by the pumps, so that no storm of leaves floods the stream
    redis.call('HSET', room_key, 'gone', digits(given_up + lost))
  end
  be_silent()
end
return reply
