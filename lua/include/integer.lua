-- ARGV is text: only plain decimal digits count as a number (tonumber would take nan, inf, 1e400 and 0x10).
local function integer(text, least, most)
  local value = text and #text <= 15 and string.find(text, '^%d+$') and tonumber(text)
  if not value or value < least or value > most then
    error('SEATLOCK an argument or a setting is not a whole number from ' .. least .. ' to ' .. most)
  end
  return value
end

local function digits(value)
  return string.format('%d', value)
end
