-- @include places
-- Those who are heard of are present: a bit each, by place, in the newer of two bitmaps; `tidy` turns them. A place
-- that was passed over while it was silent is looked at again, since `low` goes back to it.
local heard, claims, lowest = {}, {}, low
local here_key = here_keys[integer(room.here, 0, 1) + 1]
local kept_key = kept_keys[integer(room.kept, 0, 1) + 1]
redis.call('STRLEN', here_key) -- they are written last: one that is no bitmap stops the script before its first write
redis.call('STRLEN', kept_key)

local function hear(place)
  heard[#heard + 1] = place
  lowest = math.min(lowest, place)
end

-- An admission is a reservation until its holder has been told of it; from then on it is a pass of full length.
local function told(request, pass)
  if not pass.claimed then
    pass.deadline = now + integer(room.pass, 1, 86400000)
    claims[#claims + 1] = {holder = holders[request], pass = pass, place_too = queued[request]}
  end
  return place_of_pass(pass)
end

local function mark_present()
  for _, place in ipairs(heard) do
    redis.call('SETBIT', here_key, digits(place), '1')
    redis.call('SETBIT', kept_key, digits(place), '1')
  end
end

local function keep_claims()
  for _, claim in ipairs(claims) do
    if claim.place_too then -- an admission that was stopped half-way left it: one place is let in once
      redis.call('ZREM', queue_key, claim.holder)
    end
    keep_pass(claim.holder, claim.pass)
  end
end
