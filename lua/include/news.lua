-- @include waiting
-- What the room publishes, for those who tell the people in it. An entry says first how the line stands after it:
-- `served` and `gone`, how many places were given up or lost in all; then who was let in, what the room has become, or
-- no more.
-- Its id is `made-version`: made anew, a room is later than any cursor.
local made, gone, told_last, admitted, trim = unpack(
  redis.call('HMGET', room_key, 'made', 'gone', 'told', 'admitted', 'trim'))
made, gone, admitted = integer(made, 0, 2 ^ 49), integer(gone, 0, 2 ^ 49), integer(admitted, 0, 2 ^ 49)

local function check_news()
  local beyond = redis.call('XRANGE', admissions_key, digits(made) .. '-' .. digits(version + 1), '+', 'COUNT', '1')
  if #beyond > 0 then
    error('SEATLOCK the stream of admissions is ahead of the version of the room')
  end
end

local function standing_of_line()
  return digits(served) .. ' ' .. digits(gone)
end

-- Whether the line moved, and no entry has told of it.
local function has_moved()
  return told_last ~= standing_of_line()
end

-- Entries are kept by the names in them: from `first` on there are half a million to a million. `newest` is the version
-- of the next mark, `was` what `admitted` was then.
local HALF = 500000
local function trimmed()
  local first, newest, was = string.match(trim, '^(%d+) (%d+) (%d+)$')
  if admitted - integer(was, 0, 2 ^ 49) < HALF then
    return trim, digits(integer(first, 0, 2 ^ 49))
  end
  newest = digits(integer(newest, 0, 2 ^ 49))
  return table.concat({newest, digits(version), digits(admitted)}, ' '), newest
end

-- Noted only once it is told: where a script is stopped before, the next one tells it.
local function publish_news(how, bound, ...)
  redis.call('XADD', admissions_key, how, '~', bound, digits(made) .. '-' .. digits(version), 'served', digits(served),
    'gone', digits(gone), ...)
  redis.call('HSET', room_key, 'told', standing_of_line())
end

local function publish_standing(...)
  publish_news('MAXLEN', '100000', ...)
end
