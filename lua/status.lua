-- status: opens, pauses or closes the sale, at once (at_ms 0) or when that time comes. Says so in the change stream,
-- under the empty field, with the show's field `status` as it is from then on. An opening whose time has passed is
-- refused, unless it is set already or the sale is open: a command that is repeated late opens nothing.
--
-- KEYS  meta changes |
-- ARGV  status at_ms |                                  open, paused or closed
-- REPLY noshow
--       past before                                     nothing was written
--       ok before
local meta_key, changes_key = KEYS[1], KEYS[2]
-- @include show
-- @include times

if ARGV[1] ~= 'open' and ARGV[1] ~= 'paused' and ARGV[1] ~= 'closed' then
  error('SEATLOCK a sale is open, paused or closed')
end
local wanted, at = ARGV[1], integer(ARGV[2], 0, 2 ^ 49)
if wanted == 'paused' and at > 0 then
  error('SEATLOCK an argument is a time, and a sale is paused at once')
end
check_changes()
local before, opens, closes = sale_of(status)

-- A time that has come has done its work, and one at the same moment as a new one gives way to it.
local function to_come(time, new)
  return time and time > now and time ~= new and time or nil
end

local function written(word, opening, closing)
  if not opening and not closing then
    return word
  end
  return table.concat({word, opening and digits(opening) or '-', closing and digits(closing) or '-'}, ' ')
end

local field, set = status, opens
if wanted == 'closed' then
  set = closes
end
if at == set then
  field = status -- what only repeats an earlier call changes nothing, however late it comes
elseif at > now and wanted == 'open' then
  field = written(before, at, to_come(closes, at))
elseif at > now then
  field = written(before, to_come(opens, at), at)
elseif wanted == 'closed' then
  field = 'closed'
elseif at == 0 then
  field = written(wanted, nil, to_come(closes))
elseif before ~= 'open' then
  return {'past', before}
end
if field ~= status then
  next_version()
  publish({'', field})
  redis.call('HSET', meta_key, 'status', field) -- last: asking again does what is left to do
end
return {'ok', before}
