-- @include waiting
-- The passes of the holders of a batch. A pass is in time until the score of its holder, and `grants` says the rest:
--   place renewals_left claimed      claimed is 0 until the holder has been told of the admission, then 1
local until_ms = redis.call('ZMSCORE', passes_key, unpack(holders))
local granted = redis.call('HMGET', grants_key, unpack(holders))

local function in_time(request)
  return until_ms[request] and tonumber(until_ms[request]) >= now
end

local function pass_of(request)
  if in_time(request) and granted[request] then
    local place, renewals, claimed = string.match(granted[request], '^(%d+) (%d+) ([01])$')
    if not place then
      error('SEATLOCK a grant is nothing that this script knows')
    end
    return {place = integer(place, 0, MOST_PLACES), renewals = integer(renewals, 0, 1000), claimed = claimed == '1',
            deadline = tonumber(until_ms[request])}
  end
end

local function keep_pass(holder, pass)
  redis.call('ZADD', passes_key, 'XX', digits(pass.deadline), holder)
  redis.call('HSET', grants_key, holder, digits(pass.place) .. ' ' .. digits(pass.renewals) .. ' 1')
end
