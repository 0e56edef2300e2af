-- room_changes: what a waiting room has published since a cursor, a bounded part a call.
--
-- KEYS  room admissions |
-- ARGV  made version |                                 the cursor; 0 and 0 for all that is kept
-- REPLY noroom
--       ok gap, then entries (id, (name value)...)     gap: 1 if some of what came after the cursor is not kept any
--                                                      more; then they begin with the oldest that is
local room_key, admissions_key = KEYS[1], KEYS[2]
-- @include integer

local ENTRIES, NAMES, STEP = 1000, 10000, 10 -- entries and names that a call gives, about; entries read at once
local made, version = integer(ARGV[1], 0, 2 ^ 49), integer(ARGV[2], 0, 2 ^ 49)
if redis.call('HLEN', room_key) == 0 then
  return {'noroom'}
end

local gap, from = 0, '-'
if made > 0 then
  local after = digits(made) .. '-' .. digits(version)
  local next_id = digits(made) .. '-' .. digits(version + 1)
  local oldest = redis.call('XRANGE', admissions_key, '-', '+', 'COUNT', '1')[1]
  local nearest = redis.call('XRANGE', admissions_key, after, '+', 'COUNT', '1')[1]
  if not (nearest and nearest[1] == after or oldest and oldest[1] == next_id) then
    gap = 1
  end
  if nearest then -- else the room is not the one that gave the cursor, or a failover lost the end of its stream
    from = table.concat({'(', after})
  end
end

local reply, names = {'ok', gap}, 0
repeat
  local part = redis.call('XRANGE', admissions_key, from, '+', 'COUNT', digits(STEP))
  for _, entry in ipairs(part) do
    reply[#reply + 1] = entry
    names = names + #entry[2] / 2 - 2
    from = table.concat({'(', entry[1]})
  end
until #part < STEP or #reply >= ENTRIES or names >= NAMES
return reply
