-- settle: takes facts that are dealt with out of the outbox, on a full server too. What nobody can deal with is set
-- aside, with why. An id that holds another fact by now is left: a replica that was promoted may use ids again. Of
-- each fact come its id, with a space and why it is set aside behind it, if it is, then kind, newline, booking.
--
-- KEYS  outbox aside |
-- ARGV  | settled fact
-- REPLY ok, then for each request one of
--         done
--         aside
--         gone                                            settled before
--         other
local outbox_key, aside_key = KEYS[1], KEYS[2]
local GROUP = 'relay'

redis.call('XLEN', aside_key) -- type-checked before the first write
local function value_of(fields, name)
  for at = 1, #fields, 2 do
    if fields[at] == name then
      return fields[at + 1]
    end
  end
  return ''
end

local reply, settled, asides = {'ok'}, {}, {}
for at = 1, math.ceil(#ARGV / 2) do
  local id, reason = string.match(ARGV[2 * at - 1], '^(%d+%-%d+) ?(.*)$')
  if not id or not ARGV[2 * at] then
    error('SEATLOCK an argument is no fact')
  end
  local found = redis.call('XRANGE', outbox_key, id, id, 'COUNT', '1')[1]
  local fields = found and found[2] or {}
  if found and table.concat({value_of(fields, 'kind'), value_of(fields, 'booking')}, '\n') ~= ARGV[2 * at] then
    reply[at + 1] = {'other'}
  else
    settled[#settled + 1] = id
    reply[at + 1] = found and {'done'} or {'gone'}
    if found and reason ~= '' then
      reply[at + 1] = {'aside'}
      asides[#asides + 1] = {id, reason, fields}
    end
  end
end

-- An exhausted stream refuses every further entry: found out before the first write.
local LAST_ID = '18446744073709551615-18446744073709551615'
if #asides > 0 and #redis.call('XRANGE', aside_key, LAST_ID, LAST_ID, 'COUNT', '1') > 0 then
  error('SEATLOCK the stream of what is set aside has used up its ids')
elseif #settled > 0 then
  redis.call('XDEL', outbox_key, '0-0') -- no id is that: a full server lets go on what has begun with a delete
  for _, aside in ipairs(asides) do
    redis.call('XADD', aside_key, '*', 'id', aside[1], 'reason', aside[2], unpack(aside[3]))
  end
  redis.call('XDEL', outbox_key, unpack(settled))
  redis.call('XACK', outbox_key, GROUP, unpack(settled)) -- last: what is pending and gone, take acknowledges
end
return reply
