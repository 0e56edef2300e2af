-- pins: some of the seats that are pinned, and wait for what the ledger decides. The availability hash tells them.
--
-- KEYS  meta seats |
-- ARGV  cursor |
-- REPLY noshow
--       fast                                            there is no ledger that decides, so nothing is pinned
--       ok version cursor seat...                       cursor 0: the walk is at its end
local meta_key, seats_key = KEYS[1], KEYS[2]

local facts = redis.call('HMGET', meta_key, 'status', 'checkout', 'version')
if not facts[1] then
  return {'noshow'}
elseif facts[2] ~= 'strict' then
  return {'fast'}
end
local cursor, found = unpack(redis.call('HSCAN', seats_key, ARGV[1], 'COUNT', '400'))
local reply = {'ok', tonumber(facts[3]), cursor}
for index = 1, #found, 2 do
  if string.sub(found[index + 1], 1, 1) == 'p' then
    reply[#reply + 1] = found[index]
  end
end
return reply
