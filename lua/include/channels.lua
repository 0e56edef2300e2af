-- @include integer
-- Channels: quotas of seats for those who sell for the house. Their names stand in the show's facts, a line each, and
-- none is ever taken away: the number of a channel is its place among them. Gives the numbers, as text, and the names.
local function channels_of(text)
  local numbers, names_of = {}, {}
  for name in string.gmatch(text or '', '[^\n]+') do
    names_of[#names_of + 1] = name
    numbers[name] = numeral(#names_of)
  end
  return numbers, names_of
end
