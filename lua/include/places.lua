-- @include room
-- Who has a place or a pass, for the holders of a batch. A place is a number, drawn once and the score of its holder in
-- the queue; a pass is in time until the score of its holder among the passes, and `grants` says the rest of it:
--   place renewals_left claimed      claimed is 0 until the holder has been told of the admission, then 1
local queued = redis.call('ZMSCORE', queue_key, unpack(holders))
local until_ms = redis.call('ZMSCORE', passes_key, unpack(holders))
local granted = redis.call('HMGET', grants_key, unpack(holders))
local early = redis.call('ZMSCORE', early_key, unpack(holders))
local drawn = redis.call('ZMSCORE', drawn_key, unpack(holders))

local function pass_of(request)
  local deadline = until_ms[request]
  if deadline and tonumber(deadline) >= now and granted[request] then
    local place, renewals, claimed = string.match(granted[request], '^(%d+) (%d+) ([01])$')
    if not place then
      error('SEATLOCK a grant is nothing that this script knows')
    end
    return {place = integer(place, 0, MOST_PLACES), renewals = integer(renewals, 0, 1000), claimed = claimed == '1',
            deadline = tonumber(deadline)}
  end
end

local function place_of_pass(pass)
  return {'admitted', pass.place, pass.deadline - now, pass.deadline, pass.renewals}
end

-- Whoever comes before the order of the early is drawn to its end stands behind all of them.
local undrawn = redis.call('ZCARD', early_key) + redis.call('ZCARD', drawn_key) - 2
local function waiting(place, rank)
  return {'waiting', place, rank + (place > early_places and undrawn or 0)}
end

-- The answer to one who has something already; nil to one who has nothing.
local function standing(request)
  local pass = pass_of(request)
  if pass then
    return place_of_pass(pass), pass
  elseif queued[request] then
    return waiting(tonumber(queued[request]), redis.call('ZRANK', queue_key, holders[request]))
  elseif early[request] or drawn[request] then
    return {'early'}
  end
end
