-- Walks along those who are present, from the lowest place that nobody has looked at: jumps over the silent with
-- BITPOS, however many they are, and looks at the bits of a span of bytes at a time. Bounded by the spans of a call.
local SPAN = 64 -- bytes of a span: 512 places
local SPANS = 160 -- spans that one call looks at, at most
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

local bits_of = {} -- of a byte: its bits that are set, as offsets from its first
local function bits(byte)
  local found = bits_of[byte]
  if not found then
    found = {}
    local rest = byte
    for offset = 0, 7 do
      local value = 2 ^ (7 - offset)
      if rest >= value then
        found[#found + 1], rest = offset, rest - value
      end
    end
    bits_of[byte] = found
  end
  return found
end

-- The places whose bit is set in either bitmap, of the bytes from `first` on, in order; none below `from`.
local function present_in(first, from)
  local last = digits(first + SPAN - 1)
  local one = redis.call('GETRANGE', here_keys[1], digits(first), last)
  local other = redis.call('GETRANGE', here_keys[2], digits(first), last)
  local places = {}
  for at = 1, math.max(#one, #other) do
    local a, b = string.byte(one, at) or 0, string.byte(other, at) or 0
    if a + b > 0 then
      local base = (first + at - 1) * 8
      local set = {}
      for _, offset in ipairs(bits(a)) do
        set[offset] = true
      end
      for _, offset in ipairs(bits(b)) do
        set[offset] = true
      end
      for offset = 0, 7 do
        if set[offset] and base + offset >= from then
          places[#places + 1] = base + offset
        end
      end
    end
  end
  return places
end

-- One who was let in by a script that was stopped half-way may have a place still.
local function mark_passes(found)
  local holders = {}
  for at, one in ipairs(found) do
    holders[at] = one.holder
  end
  local deadlines = #found > 0 and redis.call('ZMSCORE', passes_key, unpack(holders)) or {}
  for at, one in ipairs(found) do
    one.has_pass = deadlines[at] and tonumber(deadlines[at]) >= now
  end
  return found
end

-- Who has these places, in order; places that were given up are left out.
local function holders_at(places)
  local found = {}
  if #places >= DENSE then
    local wanted = {}
    for _, place in ipairs(places) do
      wanted[place] = true
    end
    local all = redis.call('ZRANGEBYSCORE', queue_key, digits(places[1]), digits(places[#places]), 'WITHSCORES')
    for at = 1, #all, 2 do
      if wanted[tonumber(all[at + 1])] then
        found[#found + 1] = {place = tonumber(all[at + 1]), holder = all[at]}
      end
    end
  else
    for _, place in ipairs(places) do
      local holder = redis.call('ZRANGEBYSCORE', queue_key, digits(place), digits(place))[1]
      if holder then
        found[#found + 1] = {place = place, holder = holder}
      end
    end
  end
  return mark_passes(found)
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
