-- take: gives the relay that has a show the oldest facts of its outbox. One relay at a time has a show, by a lease that
-- each call renews: so whatever is pending was left by one that is dead, or by this one failing, and it comes first.
-- Facts always come in the order of their ids.
--
-- KEYS  meta outbox relay |
-- ARGV  relay lease_ms count |                          lease_ms 0: the relay gives the show up, and gets nothing
-- REPLY noshow
--       taken left_ms                                   another relay has the show
--       ok now_ms more facts                            more: whether others wait; facts: the id and the fields of each
local meta_key, outbox_key, relay_key = KEYS[1], KEYS[2], KEYS[3]
-- @include clock
-- @include integer
local GROUP = 'relay' -- also the name of its one consumer: who reads is known by the lease

local lease, count = integer(ARGV[2], 0, 3600000), integer(ARGV[3], 1, 500)
if redis.call('HLEN', meta_key) == 0 then
  return {'noshow'}
end
local owner, length = redis.call('GET', relay_key), redis.call('XLEN', outbox_key)
if owner and owner ~= ARGV[1] then
  return {'taken', redis.call('PTTL', relay_key)}
elseif lease == 0 then
  redis.call('DEL', relay_key)
  return {'ok', now, 0, {}}
elseif length == 0 then -- nothing to do, and nothing written: so a show that sells nothing costs next to nothing
  return {'ok', now, 0, {}}
end

redis.call('XDEL', outbox_key, '0-0') -- no id is that: a full server lets go on what has begun with a delete
redis.call('SET', relay_key, ARGV[1], 'PXAT', digits(now + lease))
local claimed = redis.pcall('XAUTOCLAIM', outbox_key, GROUP, GROUP, '0', '0-0', 'COUNT', ARGV[3], 'JUSTID')
if claimed.err then -- no group: warming did not make this outbox
  redis.call('XGROUP', 'CREATE', outbox_key, GROUP, '0')
end
local facts, gone = {}, {}
local function give(found)
  for _, fact in ipairs(found and found[1][2] or {}) do
    if fact[2] then
      facts[#facts + 1] = fact
    else
      gone[#gone + 1] = fact[1] -- settle was stopped before it acknowledged what it had deleted
    end
  end
end
give(redis.call('XREADGROUP', 'GROUP', GROUP, GROUP, 'COUNT', ARGV[3], 'STREAMS', outbox_key, '0'))
local left = count - #facts - #gone
if left > 0 then
  give(redis.call('XREADGROUP', 'GROUP', GROUP, GROUP, 'COUNT', digits(left), 'STREAMS', outbox_key, '>'))
end
if #gone > 0 then
  redis.call('XACK', outbox_key, GROUP, unpack(gone))
end
return {'ok', now, length > #facts and 1 or 0, facts}
