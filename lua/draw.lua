-- draw: moves some of the early to those who are drawn, each with the number that the draw gave. Their order is that of
-- the numbers, then of the ids, which is how a sorted set is sorted. May be repeated.
--
-- KEYS  room early drawn |
-- ARGV  | holder number
-- REPLY noroom
--       ok status remaining                            remaining: the early that are not drawn yet
local room_key, early_key, drawn_key = KEYS[1], KEYS[2], KEYS[3]
-- @include waiting

local adds, gone = {}, {}
for at = 1, math.ceil(#ARGV / 2) do
  local holder, number = ARGV[2 * at - 1], integer(ARGV[2 * at], 0, 2 ^ 49)
  if room.status == 'drawing' and redis.call('ZSCORE', early_key, holder) then
    adds[#adds + 1], adds[#adds + 2] = digits(number), holder
    gone[#gone + 1] = holder
  end
end
if #gone > 0 then
  redis.call('ZADD', drawn_key, unpack(adds))
  redis.call('ZREM', early_key, unpack(gone))
end
return {'ok', room.status, redis.call('ZCARD', early_key) - 1}
