-- raise_epoch: begins an epoch of the show, as the ledger has it; never an earlier one than it is.
--
-- KEYS  meta |
-- ARGV  epoch |
-- REPLY noshow
--       ok epoch                                        what it is now
local meta_key = KEYS[1]
-- @include integer

local facts = redis.call('HMGET', meta_key, 'status', 'epoch')
if not facts[1] then
  return {'noshow'}
end
local epoch, wanted = integer(facts[2], 0, 2 ^ 40), integer(ARGV[1], 1, 2 ^ 40)
if wanted > epoch then
  redis.call('HSET', meta_key, 'epoch', digits(wanted))
end
return {'ok', math.max(epoch, wanted)}
