-- note_draw: writes down once what the order of the early is drawn with: the digest of who they are, and the value from
-- outside. Whoever comes later is told what stands there. From then on the record of their tags stays as it is, so all
-- of its parts must be there. Of one that a failover has torn nothing is kept, and it is to be written anew.
--
-- KEYS  room record |
-- ARGV  participants outside parts |
-- REPLY noroom
--       torn                                           fewer parts were there, or more; nothing was noted
--       ok seed commitment participants outside
local room_key, record_key = KEYS[1], KEYS[2]
-- @include waiting

local noted = redis.call('HMGET', room_key, 'seed', 'commitment', 'participants', 'outside')
local participants, outside, parts = ARGV[1], ARGV[2], integer(ARGV[3], 0, MOST_PLACES)
if noted[3] == '' and room.status == 'drawing' then
  local found = redis.call('HMGET', record_key, '', digits(parts)) -- its sentinel, and what is behind its last part
  if found[2] or redis.call('HLEN', record_key) - (found[1] and 1 or 0) ~= parts then
    redis.call('DEL', record_key)
    redis.call('HSET', record_key, '', '')
    return {'torn'}
  end
  noted[3], noted[4] = participants, outside
  redis.call('HSET', room_key, 'participants', participants, 'outside', outside)
end
return {'ok', noted[1], noted[2], noted[3], noted[4]}
