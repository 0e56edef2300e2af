-- @include line
-- How the holders of a batch stand.
local function place_of_pass(pass)
  return {'admitted', pass.place, pass.deadline - now, pass.deadline, pass.renewals}
end

-- How many, of those before a place, were passed over, have come back, and may be let in first. Of a place that was
-- passed over itself: at most those that wait from the first that came back on. Of others: at most those that wait from
-- where the last admission stopped, if that was for want of room; whoever comes back alone makes no difference to them.
local returned
local function back_before(place)
  if place <= served then
    return redis.call('ZCOUNT', queue_key, digits(math.min(low, reached)), '(' .. digits(place))
  elseif reached > served then
    return 0
  end
  returned = returned or redis.call('ZCOUNT', queue_key, digits(reached), digits(served))
  return returned
end

-- Whoever comes before the order of the early is drawn to its end stands behind all of them.
local function waiting(place, rank)
  return {'waiting', place, rank + (place > early_places and undrawn or 0), back_before(place)}
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
