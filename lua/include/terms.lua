-- @include integer
-- The numbers of a request come in one argument, parted by single spaces, the count of its seats last. Those of a batch
-- are nearly all the same, so each text is taken apart once. `bounds`: the least and the most of each number.
local known_terms = {}
local function terms_of(text, bounds)
  local terms = known_terms[text]
  if not terms then
    text, terms = text or '', {}
    for part in string.gmatch(text .. ' ', '([^ ]*) ') do
      local at = 2 * #terms
      terms[#terms + 1] = integer(part, bounds[at + 1] or 0, bounds[at + 2] or 0)
    end
    if #terms * 2 ~= #bounds then
      error('SEATLOCK an argument has ' .. digits(#terms) .. ' numbers and should have ' .. digits(#bounds / 2))
    end
    known_terms[text] = terms
  end
  return terms
end
