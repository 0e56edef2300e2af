-- held: some of the seats that are on hold, whoever holds them. What is due tells them: the locks have the last word.
--
-- KEYS  meta due |
-- ARGV  cursor |
-- REPLY noshow
--       ok cursor seat...                               cursor 0: the walk is at its end
local meta_key, due_key = KEYS[1], KEYS[2]
-- @include clock

if not redis.call('HMGET', meta_key, 'status')[1] then
  return {'noshow'}
end
local cursor, found = unpack(redis.call('ZSCAN', due_key, ARGV[1], 'COUNT', '400'))
local reply = {'ok', cursor}
for index = 1, #found, 2 do
  if found[index] ~= '' and now <= tonumber(found[index + 1]) then -- the empty seat keeps the set in being
    reply[#reply + 1] = found[index]
  end
end
return reply
