-- @include integer
-- Everything is read and type-checked before the first write; this is the change stream's turn. An entry at or beyond
-- the next version would make the XADD of the write phase fail half-way.
local function check_stream(epoch, next_version)
  local beyond = redis.call('XRANGE', changes_key, epoch .. '-' .. digits(next_version), '+', 'COUNT', '1')
  if #beyond > 0 then
    error('SEATLOCK the change stream is ahead of the version of the show')
  end
end

local function checked_cap(text)
  return digits(integer(text, 1, 10 ^ 7))
end
