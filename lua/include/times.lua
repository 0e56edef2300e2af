-- @include clock
-- @include integer
-- What a sale is now. The show's field `status` is a word (open, paused, closed); where times are set, it goes on with
-- when the sale opens and when it closes by itself, in milliseconds, '-' where it does not. Of the times that have come
-- the later one counts, else the word. A show without times pays for one look at the text.
local function time_of(text)
  if text ~= '-' then
    return integer(text, 1, 2 ^ 49)
  end
end

local function sale_of(field)
  local word, opens, closes = string.match(field, '^(%l+) (%S+) (%S+)$')
  if not word then
    return field
  end
  opens, closes = time_of(opens), time_of(closes)
  local latest = 0
  if opens and opens <= now then
    word, latest = 'open', opens
  end
  if closes and closes <= now and closes >= latest then
    word = 'closed'
  end
  return word, opens, closes
end

-- The milliseconds until a time comes; -1 where none is to come.
local function left_until(time)
  return time and time > now and time - now or -1
end
