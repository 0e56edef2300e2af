-- ARGV is text: only plain decimal digits count as a number (tonumber would take nan, inf, 1e400 and 0x10). Values
-- repeat within a batch, so each is converted once, and each number is written once.
local integers, texts = {}, {}
-- A number as text: `digits` for times, which are nearly all the same in a batch, `numeral` for fences, which differ.
local function numeral(value)
  return string.format('%d', value)
end

local function digits(value)
  local text = texts[value]
  if not text then
    text = numeral(value)
    texts[value] = text
  end
  return text
end

local function integer(text, least, most)
  local value = integers[text]
  if not value then
    value = text and #text <= 15 and string.find(text, '^%d+$') and tonumber(text)
    integers[text or 0] = value
  end
  if not value or value < least or value > most then
    error('SEATLOCK an argument or a setting is not a whole number from ' .. digits(least) .. ' to ' ..
      digits(most))
  end
  return value
end
