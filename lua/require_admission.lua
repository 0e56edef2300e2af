-- require_admission: from now on a show takes new holds only from those who have a pass in time, or from everybody; or
-- only notes that there is a waiting room. Either way passes end when their holders confirm. Seat maps show nothing of
-- it, so the change stream does not tell.
--
-- KEYS  meta |
-- ARGV  required |                                      1 or 0; 2: as it is, 0 where nothing is noted
-- REPLY noshow
--       ok
local meta_key = KEYS[1]
-- @include integer

local required = integer(ARGV[1], 0, 2)
if not redis.call('HMGET', meta_key, 'status')[1] then
  return {'noshow'}
end
local noted = redis.call('HMGET', meta_key, 'admission')[1]
if required < 2 or not noted then
  redis.call('HSET', meta_key, 'admission', required == 1 and '1' or '0')
end
return {'ok'}
