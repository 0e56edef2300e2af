-- tidy: does for a waiting room what time asks for, a bounded part a call: turns the bitmaps of those who are present,
-- takes ended passes off, has places leave that were silent for too long, and publishes how the line moved. Without it
-- nobody falls silent, and where it comes less often than every half a grace time, silence is noticed later.
--
-- KEYS  room queue passes grants early drawn here_0 here_1 kept_0 kept_1 admissions |
-- ARGV  |
-- REPLY noroom
--       ok freed expired more                          passes and places that are gone; more: 1 if it is not done
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local early_key, drawn_key, here_keys, kept_keys = KEYS[5], KEYS[6], {KEYS[7], KEYS[8]}, {KEYS[9], KEYS[10]}
local admissions_key = KEYS[11]
-- @include waiting
-- @include news
-- @include silence
-- @include first

local PASSES = 500 -- ended passes that a call takes off
local PLACES = 500 -- places that a call looks at
local grace, keep, here_at, kept_at, walked, tidied = unpack(
  redis.call('HMGET', room_key, 'grace', 'keep', 'here_at', 'kept_at', 'walked', 'tidied'))
grace, keep, tidied = integer(grace, 1, 86400000), integer(keep, 1, 86400000), integer(tidied, 0, 2 ^ 49)
local changed = {}

local function set(name, value)
  changed[#changed + 1], changed[#changed + 2] = name, value
end
set('tidied', digits(now))

-- Which of two bitmaps is the newer one from now on. The time of one is over after `span`. Nobody is silent who could
-- not be heard, since the server was away or its clock jumped: of the time in which nothing was tidied half a grace
-- time counts; and where the last half a grace time before the turn had not begun before, it begins now. So everybody
-- has had it whole, before or after, to be heard in.
local half = math.ceil(grace / 2)
local function turned(newer, newer_at, current, since, span)
  local from, last = integer(since, 0, 2 ^ 49), span - half
  local begun = math.min(from + math.max(now - tidied - half, 0), now)
  if tidied - from < last then
    begun = math.max(begun, now - last)
  end
  if now < from then -- a clock that was set back
    set(newer_at, digits(now))
  elseif now - begun >= span then
    set(newer, digits(1 - current))
    set(newer_at, digits(now))
    return 1 - current
  elseif begun > from then
    set(newer_at, digits(begun))
  end
end

local here, kept = integer(room.here, 0, 1), integer(room.kept, 0, 1)
-- Nobody falls silent before the order of the early is drawn, also where the draw waits in a closed room: whoever was
-- early is to find the place. The opening begins the times anew.
local undrawn = redis.call('ZCARD', early_key) + redis.call('ZCARD', drawn_key) > 2
local new_here, new_kept
if room.status ~= 'early' and room.status ~= 'drawing' and not undrawn then
  new_here = turned('here', 'here_at', here, here_at, grace)
  new_kept = turned('kept', 'kept_at', kept, kept_at, keep)
end

local ended = redis.call('ZRANGEBYSCORE', passes_key, '-inf', '(' .. digits(now), 'LIMIT', '0', digits(PASSES))

-- Each time the bitmaps of those who keep their places were turned, the whole line is looked at once, part by part.
-- A draw that is under way, also one that waits in a closed room, must not lose anybody.
local silent, at_end = {}, walked == '-' or (room.status ~= 'open' and room.status ~= 'paused')
if new_kept then
  set('walked', '0')
elseif not at_end then
  local part = redis.call('ZRANGEBYSCORE', queue_key, '(' .. digits(integer(walked, 0, MOST_PLACES)), '(+inf',
    'WITHSCORES', 'LIMIT', '0', digits(PLACES))
  for at = 1, #part, 2 do
    local place = digits(tonumber(part[at + 1]))
    if redis.call('GETBIT', kept_keys[1], place) + redis.call('GETBIT', kept_keys[2], place) == 0 then
      silent[#silent + 1] = part[at]
      silence(place)
    end
  end
  at_end = #part < 2 * PLACES
  set('walked', at_end and '-' or digits(tonumber(part[#part])))
end

check_news()
for _, deadline in ipairs(#silent > 0 and redis.call('ZMSCORE', passes_key, unpack(silent)) or {}) do
  gone = gone + (deadline and 0 or 1) -- an admission that was stopped half-way left place and pass
end
local more = #ended == PASSES or not at_end or new_kept
local moved = not more and has_moved()
if #silent > 0 then
  set('gone', digits(gone))
end
if moved then
  version = version + 1
  set('version', digits(version))
end

-- The silent leave a full server, too. What frees memory goes first; what comes last is done again if the script is
-- stopped before.
begin_with_a_delete(queue_key)
if #ended > 0 then
  redis.call('HDEL', grants_key, unpack(ended))
  redis.call('ZREM', passes_key, unpack(ended))
end
if #silent > 0 then
  redis.call('ZREM', queue_key, unpack(silent))
  be_silent()
end
for _, turn in ipairs({{here_keys, new_here}, {kept_keys, new_kept}}) do
  if turn[2] then
    local key = turn[1][turn[2] + 1]
    redis.call('SET', key, '\0')
    redis.call('SETBIT', key, digits(last_place), '0') -- as long as it will be, at once
  end
end
redis.call('HSET', room_key, unpack(changed))
if moved then
  publish_standing()
end
return {'ok', #ended, #silent, more and 1 or 0}
