-- admit: lets in those who are next of the present, as many as rate, concurrency and the caller's own bound allow, and
-- writes them to the stream of admissions; also how the line moved where nobody was. Silent places are passed over and
-- keep their place.
--
-- KEYS  room queue passes grants here_0 here_1 admissions |
-- ARGV  most most_live |                               no more than so many in this call, or passes in time
-- REPLY noroom
--       ok status more wait_ms live let_in             more: 1 if the line goes on and the limits allow it; wait_ms:
--                                                      until the rate lets somebody in, -1 while the room lets in
--                                                      nobody; live: passes in time before; let_in: place, holder
--                                                      and left_ms of each
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local here_keys, admissions_key = {KEYS[5], KEYS[6]}, KEYS[7]
-- @include waiting
-- @include pace
-- @include news
-- @include walk

local ENDED = 1000 -- ended passes that a call takes off before it lets others in
local live = redis.call('ZCOUNT', passes_key, digits(now), '(+inf')
local ended = redis.call('ZRANGEBYSCORE', passes_key, '-inf', '(' .. digits(now), 'LIMIT', '0', digits(ENDED))
redis.call('HLEN', grants_key) -- what is no hash stops the script before its first write
local most, most_live = integer(ARGV[1], 0, 1000), integer(ARGV[2], 0, 10 ^ 9)
if integer(limits.live, 0, 10 ^ 7) > 0 then -- 0 for no bound
  most_live = math.min(most_live, integer(limits.live, 0, 10 ^ 7))
end
-- An ended pass counts until it is taken off: if the clock is set back, it must not be in time again beside the one
-- that took its place.
local taken = redis.call('ZCARD', passes_key) - 1 - #ended -- the sentinel is nobody's
local allowed, batch = 0, integer(limits.batch, 1, 1000)
if room.status == 'open' then
  allowed = math.min(most, batch, affordable(), math.max(most_live - taken, 0))
end

local function take_off_ended()
  if #ended > 0 then
    redis.call('HDEL', grants_key, unpack(ended))
    redis.call('ZREM', passes_key, unpack(ended))
  end
end

local let_in, places, looked, from, more = {}, {}, {}, low, false

-- One who was let in by a script that was stopped half-way may have a place still, and gets no second pass.
local function take(found, holders)
  local deadlines = #found > 0 and redis.call('ZMSCORE', passes_key, unpack(holders)) or {}
  for at, place in ipairs(found) do
    if #let_in == allowed then
      return
    elseif not (deadlines[at] and tonumber(deadlines[at]) >= now) then
      let_in[#let_in + 1], places[#places + 1] = holders[at], place
    end
    from = place + 1
  end
end

check_news()
if allowed > 0 then
  local byte, spans, seen = math.floor(low / 8), 0, 0
  while #let_in < allowed and spans < SPANS and seen < PLACES do
    byte = next_byte(byte)
    if not byte then
      from = last_place + 1
      break
    end
    spans = spans + 1
    from = math.max(from, byte * 8)
    local present, count = present_in(byte, from)
    seen = seen + count
    take(holders_at(present, count))
    if #let_in < allowed then
      from = (byte + SPAN) * 8
    end
    looked[#looked + 1] = byte
    byte = byte + SPAN
  end
  from = math.min(math.max(from, low), last_place + 1)
  more = from <= last_place and (spans == SPANS or seen >= PLACES or #let_in == allowed)
end

-- The bits of all who were looked at have done their work: otherwise each silent place that comes back would have the
-- next call look at all of them again.
local function clear_looked()
  for _, byte in ipairs(looked) do
    clear(byte, from)
  end
end

-- Whoever is let in once nobody waits comes as fast as people do: that says nothing about the next long line.
local line_ends = allowed > 0 and from > last_place
served = math.max(served, from - 1)
if #let_in == 0 then
  local moved = has_moved()
  take_off_ended() -- first, for a full server
  if moved or from > low or bucket.anew or line_ends and room.pace ~= '' then
    version = version + (moved and 1 or 0)
    redis.call('HSET', room_key, 'version', digits(version), 'low', digits(from), 'reached',
      allowed > 0 and digits(from) or room.reached, 'served', digits(served), 'level',
      digits(bucket.level), 'filled', digits(bucket.filled), 'pace', line_ends and '' or room.pace)
  end
  clear_looked()
  if moved then
    publish_standing()
  end
  return {'ok', room.status, more and 1 or 0, wait_ms(), live, {}}
end

local deadline = now + integer(room.reserve, 1, 86400000)
local rest = ' ' .. digits(integer(room.renewals, 0, 1000)) .. ' 0'
local passes, grants, entry, told = {}, {}, {}, {}
local until_then, left = digits(deadline), deadline - now
for at, holder in ipairs(let_in) do
  local text = numeral(places[at])
  passes[2 * at - 1], passes[2 * at] = until_then, holder
  grants[2 * at - 1], grants[2 * at] = holder, text .. rest
  entry[2 * at - 1], entry[2 * at] = text, holder
  told[3 * at - 2], told[3 * at - 1], told[3 * at] = places[at], holder, left
end
spend(#let_in)
version, admitted = version + 1, admitted + #let_in
local marks, first = trimmed()
-- What is spent goes first, so that a script that is stopped later lets in too few, never too many; then passes, what
-- they say before they count, then the stream. Whoever has a pass and still a place loses the place when told of the
-- pass: see `present`.
redis.call('HSET', room_key, 'version', digits(version), 'low', digits(from), 'reached', digits(from),
  'served', digits(served), 'level', digits(bucket.level), 'filled', digits(bucket.filled),
  'pace', line_ends and '' or paced(served, admitted, #let_in == batch),
  'admitted', digits(admitted), 'trim', marks)
take_off_ended()
redis.call('HSET', grants_key, unpack(grants))
redis.call('ZADD', passes_key, unpack(passes))
publish_news('MINID', table.concat({digits(made), first}, '-'), unpack(entry))
redis.call('ZREM', queue_key, unpack(let_in))
clear_looked()
return {'ok', room.status, more and 1 or 0, wait_ms(), live, told}
