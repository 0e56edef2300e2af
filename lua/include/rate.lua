-- @include waiting
-- The rate of admissions: a bucket in whole numbers, so that in any window of w milliseconds no more than
-- burst + rate * w / period are let in, exactly. One admission costs `period`; each millisecond brings `rate`.
local LIMITS = {'rate', 'period', 'burst', 'live', 'batch', 'level', 'filled'}
local limits = {}
do
  for at, value in ipairs(redis.call('HMGET', room_key, unpack(LIMITS))) do
    limits[LIMITS[at]] = value
  end
end
local STEP_BACK = 60000 -- a clock that steps back further than this starts the bucket's time anew, as full as it was
local cost, rate = integer(limits.period, 1, 86400000), integer(limits.rate, 1, 10 ^ 6)
local capacity = integer(limits.burst, 1, 10 ^ 6) * cost
local bucket = {level = integer(limits.level, 0, 10 ^ 14), filled = integer(limits.filled, 0, 2 ^ 49)}
bucket.anew = now < bucket.filled - STEP_BACK
if now >= bucket.filled then
  local enough = math.ceil(capacity / rate) -- milliseconds that fill it, whatever is in it: no product is too large
  bucket.level = bucket.level + math.min(now - bucket.filled, enough) * rate
  bucket.filled = now
elseif bucket.anew then
  bucket.filled = now
end
bucket.level = math.min(bucket.level, capacity)

local function affordable()
  return math.floor(bucket.level / cost)
end

local function spend(admissions)
  bucket.level = bucket.level - admissions * cost
end

-- Milliseconds until somebody can be let in as far as the rate goes; -1 while the room lets nobody in.
local function wait_ms()
  if room.status ~= 'open' then
    return -1
  end
  return bucket.level >= cost and 0 or math.ceil((cost - bucket.level) / rate)
end
