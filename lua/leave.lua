-- leave: N holders give up their place, or their pass.
--
-- KEYS  room queue passes grants early drawn |
-- ARGV  | holder
-- REPLY noroom
--       ok status now_ms served moved span_ms poll_ms, then for each request one of
--         left
--         gone                                       had no place, and no pass in time
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local early_key, drawn_key = KEYS[5], KEYS[6]
local holders = {unpack(ARGV)}
-- @include places

local reply, left = {'ok', serving()}, {}
for request = 1, #holders do
  local there = standing(request) and not left[holders[request]]
  left[holders[request]] = true
  reply[#reply + 1] = {there and 'left' or 'gone'}
end
for _, key in ipairs({queue_key, passes_key, early_key, drawn_key}) do
  redis.call('ZREM', key, unpack(holders))
end
redis.call('HDEL', grants_key, unpack(holders))
return reply
