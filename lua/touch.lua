-- touch: writes what is there already, so that whoever asks WAIT next on this connection has a write to wait for.
--
-- KEYS  meta |
-- ARGV  |
-- REPLY noshow
--       ok
local meta_key = KEYS[1]

local facts = redis.call('HMGET', meta_key, 'version')
if not facts[1] then
  return {'noshow'}
end
redis.call('HSET', meta_key, 'version', facts[1])
return {'ok'}
