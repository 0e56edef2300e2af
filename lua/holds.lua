-- holds: the seats on a holder's list that are held and in time. The list can be behind: the locks have the last word.
-- What the list has of pools is left out: see claimed.
--
-- KEYS  meta holder |
-- ARGV  |
-- REPLY noshow
--       unlisted                                        the show has no limits, so it keeps no lists
--       ok seat...
local meta_key, holder_key = KEYS[1], KEYS[2]
-- @include clock
-- @include integer
-- @include mirror

local facts = redis.call('HMGET', meta_key, 'status', 'limits')
if not facts[1] then
  return {'noshow'}
elseif not facts[2] then
  return {'unlisted'}
end
local reply = {'ok'}
local found = redis.call('HGETALL', holder_key)
for index = 1, #found, 2 do
  local deadline = deadline_of(found[index + 1]) -- none for what is no seat: a quantity stands behind it
  if deadline and now <= deadline then
    reply[#reply + 1] = found[index]
  end
end
return reply
