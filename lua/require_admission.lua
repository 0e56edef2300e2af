-- require_admission: from now on a show takes new holds only from those who have a pass in time, or from everybody.
-- Seat maps show nothing of it, so the change stream does not tell.
--
-- KEYS  meta |
-- ARGV  required |                                      1 or 0
-- REPLY noshow
--       ok
local meta_key = KEYS[1]
-- @include integer

local required = integer(ARGV[1], 0, 1)
if not redis.call('HMGET', meta_key, 'status')[1] then
  return {'noshow'}
end
if required == 1 then
  redis.call('HSET', meta_key, 'admission', '1')
else
  redis.call('HDEL', meta_key, 'admission')
end
return {'ok'}
