-- draw: moves some of the early to those who are drawn, each with the number that the draw gave. Their order is that of
-- the numbers, then of the ids, which is how a sorted set is sorted. May be repeated.
--
-- KEYS  room early drawn |
-- ARGV  | holder number
-- REPLY noroom
--       ok status left                                 left: the early that are not drawn yet
local room_key, early_key, drawn_key = KEYS[1], KEYS[2], KEYS[3]
-- @include room

if room.status ~= 'drawing' then
  return {'ok', room.status, redis.call('ZCARD', early_key) - 1}
end
local adds, gone = {}, {}
for at = 1, #ARGV, 2 do
  if redis.call('ZSCORE', early_key, ARGV[at]) then
    adds[#adds + 1], adds[#adds + 2] = digits(integer(ARGV[at + 1], 0, 2 ^ 49)), ARGV[at]
    gone[#gone + 1] = ARGV[at]
  end
end
if #gone > 0 then
  redis.call('ZADD', drawn_key, unpack(adds))
  redis.call('ZREM', early_key, unpack(gone))
end
return {'ok', room.status, redis.call('ZCARD', early_key) - 1}
