-- @include line
-- How the holders of a batch stand.
local function place_of_pass(pass)
  return {'admitted', pass.place, pass.deadline - now, pass.deadline, pass.renewals}
end

-- Whoever comes before the order of the early is drawn to its end stands behind all of them.
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
