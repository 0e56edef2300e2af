-- remnants: some seats of a retired show whose locks are still to be deleted; or, asked for its pools, some fields.
--
-- KEYS  retired |                                       or pools
-- ARGV  cursor |
-- REPLY then cursor seat...                             cursor 0: the walk is at its end
local retired_key = KEYS[1]

local cursor, found = unpack(redis.call('HSCAN', retired_key, ARGV[1], 'COUNT', '400'))
local reply = {cursor}
for index = 1, #found, 2 do
  reply[#reply + 1] = found[index]
end
return reply
