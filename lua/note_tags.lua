-- note_tags: writes a part of the record of a draw: the tags of some of the early, in the order of their ids. The list
-- is closed, so whoever opens the room writes the same. Once the digest of all is noted no part changes any more.
--
-- KEYS  room record |
-- ARGV  part tags |                                    part: from 0; tags: of 32 bytes each
-- REPLY noroom
--       ok status participants                         written if the room is in its draw and they are not noted yet
local room_key, record_key = KEYS[1], KEYS[2]
-- @include waiting

local part, tags = integer(ARGV[1], 0, MOST_PLACES), ARGV[2]
if not tags or tags == '' or #tags % 32 > 0 then
  error('SEATLOCK a part of a record is no list of tags')
end
local participants = redis.call('HMGET', room_key, 'participants')[1]
if room.status == 'drawing' and participants == '' then
  redis.call('HSET', record_key, digits(part), tags)
end
return {'ok', room.status, participants}
