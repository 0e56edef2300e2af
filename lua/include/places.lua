-- @include line
-- How the holders of a batch stand.
local function place_of_pass(pass)
  return {'admitted', pass.place, pass.deadline - now, pass.deadline, pass.renewals}
end

-- Whoever comes while the order of the early is drawn stands behind all of them.
local undrawn = redis.call('ZCARD', early_key) + redis.call('ZCARD', drawn_key) - 2
local function waiting(place, rank)
  return {'waiting', place, rank + (room.status == 'drawing' and undrawn or 0)}
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
