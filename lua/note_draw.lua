-- note_draw: writes down once what the order of the early is drawn with: the digest of who they are, and the value from
-- outside. Whoever comes later is told what stands there.
--
-- KEYS  room |
-- ARGV  participants outside |
-- REPLY noroom
--       ok seed commitment participants outside
local room_key = KEYS[1]
-- @include waiting

local noted = redis.call('HMGET', room_key, 'seed', 'commitment', 'participants', 'outside')
local participants, outside = ARGV[1], ARGV[2]
if noted[3] == '' and room.status == 'drawing' then
  noted[3], noted[4] = participants, outside
  redis.call('HSET', room_key, 'participants', participants, 'outside', outside)
end
return {'ok', noted[1], noted[2], noted[3], noted[4]}
