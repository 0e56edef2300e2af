-- Walks along those who are present, from the lowest place that nobody has looked at: jumps over the silent with
-- BITPOS, however many they are, and looks at the bits of a span of bytes at a time. Bounded by spans and places.
local SPAN = 64 -- bytes of a span: 512 places
local SPANS = 160 -- spans that one call looks at, at most
local PLACES = 8000 -- present places from which a call looks at no other span
local DENSE = 96 -- present places in a span from which it is read as one range

-- The next byte, not before `byte`, with a bit set in either bitmap; nil where there is none.
local ahead_of = {}
local function next_byte(byte)
  local least
  for index = 1, 2 do
    local known = ahead_of[index]
    if known == nil or known and known < byte then
      local bit = redis.call('BITPOS', here_keys[index], '1', digits(byte))
      known = bit >= 0 and math.floor(bit / 8)
      ahead_of[index] = known
    end
    if known and (not least or known < least) then
      least = known
    end
  end
  return least
end

local bits_of = {} -- of two bytes: the bits that are set in either, as offsets from their first
local function bits(one, other)
  local found = bits_of[one * 256 + other]
  if not found then
    found = {}
    local first, second = one, other
    for offset = 0, 7 do
      local value = 2 ^ (7 - offset)
      if first >= value or second >= value then
        found[#found + 1] = offset
      end
      first, second = first % value, second % value
    end
    bits_of[one * 256 + other] = found
  end
  return found
end

-- The places whose bit is set in either bitmap, of the bytes from `first` on, in order; none below `from`.
local function present_in(first, from)
  local last = digits(first + SPAN - 1)
  local one = redis.call('GETRANGE', here_keys[1], digits(first), last)
  local other = redis.call('GETRANGE', here_keys[2], digits(first), last)
  local places, count = {}, 0
  for at = 1, math.max(#one, #other) do
    local a, b = string.byte(one, at) or 0, string.byte(other, at) or 0
    if a + b > 0 then
      local base = (first + at - 1) * 8
      for _, offset in ipairs(bits(a, b)) do
        if base + offset >= from then
          count = count + 1
          places[count] = base + offset
        end
      end
    end
  end
  return places, count
end

-- Who has these places, in order, as two lists: the places and the holders. Places that were given up are left out.
local function holders_at(places, count)
  local found, holders = {}, {}
  if count >= DENSE then
    local wanted = {}
    for at = 1, count do
      wanted[numeral(places[at])] = places[at]
    end
    local all = redis.call('ZRANGEBYSCORE', queue_key, numeral(places[1]), numeral(places[count]), 'WITHSCORES')
    for at = 2, #all, 2 do
      local place = wanted[all[at]]
      if place then
        found[#found + 1], holders[#holders + 1] = place, all[at - 1]
      end
    end
  else
    for at = 1, count do
      local text = numeral(places[at])
      local holder = redis.call('ZRANGEBYSCORE', queue_key, text, text)[1]
      if holder then
        found[#found + 1], holders[#holders + 1] = places[at], holder
      end
    end
  end
  return found, holders
end

-- Empties the bits of a span below a place: whoever has been looked at is heard of again, or silent from now on.
local function clear(byte, below)
  local whole = math.min(math.floor(below / 8), byte + SPAN)
  for index = 1, 2 do
    local length = redis.call('STRLEN', here_keys[index])
    local zeros = math.min(whole, length) - byte
    if zeros > 0 then
      redis.call('SETRANGE', here_keys[index], digits(byte), string.rep('\0', zeros))
    end
    if whole < byte + SPAN and whole < length then
      for bit = whole * 8, below - 1 do
        redis.call('SETBIT', here_keys[index], digits(bit), '0')
      end
    end
  end
end
