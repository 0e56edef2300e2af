-- seat_drawn: gives those who are drawn their places in the line, a bounded number a call, in order. All of them count
-- as present: who opens a room finds those who were early in it. May be repeated.
--
-- KEYS  room queue early drawn here_0 here_1 kept_0 kept_1 |
-- ARGV  |
-- REPLY noroom
--       ok status remaining                            remaining: the drawn without a place; -1: not all are drawn
local room_key, queue_key, early_key, drawn_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local here_keys, kept_keys = {KEYS[5], KEYS[6]}, {KEYS[7], KEYS[8]}
-- @include waiting

local STEP = 500 -- places that a call gives
if room.status ~= 'drawing' then
  return {'ok', room.status, 0}
elseif redis.call('ZCARD', early_key) > 1 then
  return {'ok', room.status, -1}
end
local highest = redis.call('ZREVRANGEBYSCORE', queue_key, digits(early_places), '1', 'WITHSCORES', 'LIMIT', '0', '1')
local place = tonumber(highest[2] or 0)
local holders = redis.call('ZRANGEBYSCORE', drawn_key, '-inf', '(+inf', 'LIMIT', '0', digits(STEP))
local here_key, kept_key = here_keys[integer(room.here, 0, 1) + 1], kept_keys[integer(room.kept, 0, 1) + 1]
redis.call('STRLEN', here_key) -- what is no bitmap stops the script before its first write
redis.call('STRLEN', kept_key)
if #holders > 0 then
  -- One command gives all of them their places; if what follows is cut off, the same ones come again and keep them.
  local seated, adds = redis.call('ZMSCORE', queue_key, unpack(holders)), {}
  for at, holder in ipairs(holders) do
    if not seated[at] then
      place = place + 1
      seated[at] = place
    end
    adds[2 * at - 1], adds[2 * at] = digits(tonumber(seated[at])), holder
  end
  redis.call('ZADD', queue_key, 'NX', unpack(adds))
  for at = 1, #holders do
    redis.call('SETBIT', here_key, adds[2 * at - 1], '1')
    redis.call('SETBIT', kept_key, adds[2 * at - 1], '1')
  end
  redis.call('ZREM', drawn_key, unpack(holders))
end
return {'ok', room.status, redis.call('ZCARD', drawn_key) - 1}
