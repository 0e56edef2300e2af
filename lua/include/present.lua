-- @include places
-- Those who are heard of are present: a bit each, by place, in the newer of two bitmaps; `tidy` turns them. A place that
-- was passed over while it was silent is looked at again, since `low` goes back to it.
local heard, claims, lowest = {}, {}, low

local function hear(place)
  heard[#heard + 1] = place
  lowest = math.min(lowest, place)
end

-- An admission is a reservation until its holder has been told of it; from then on it is a pass of full length.
local function told(request, pass)
  if not pass.claimed then
    pass.claimed, pass.deadline = true, now + integer(room.pass, 1, 86400000)
    claims[#claims + 1] = {holder = holders[request], pass = pass}
  end
  return place_of_pass(pass)
end

local function mark_present()
  local here_at = integer(room.here, 0, 1)
  local kept_at = integer(room.kept, 0, 1)
  for _, place in ipairs(heard) do
    redis.call('SETBIT', here_keys[here_at + 1], digits(place), '1')
    redis.call('SETBIT', kept_keys[kept_at + 1], digits(place), '1')
  end
end

local function keep_claims()
  for _, claim in ipairs(claims) do
    redis.call('ZADD', passes_key, 'XX', digits(claim.pass.deadline), claim.holder)
    redis.call('HSET', grants_key, claim.holder,
      digits(claim.pass.place) .. ' ' .. digits(claim.pass.renewals) .. ' 1')
  end
end
