-- acquire_best: holds for each of N requests the first of its sets of seats that is wholly free, in order. The sets of
-- a request have the same size, and stand one behind the other. All notes come before all locks. A channel, which only
-- a few of them name, comes behind the last one: see extras.
--
-- KEYS  meta seats due changes passes | note lock (one a request, then one a seat)   then holder, with limits
-- ARGV  requests | owner (ttl_ms size seats)
-- REPLY noshow
--       limits                               there are limits, and no lists came; nothing was done
--       ok, then for each request one of
--         held place epoch fence left_ms deadline_ms
--                                              the place of the set among the sets
--         noted seat...                        what this owner was given before, and does not hold as it was
--         closed status left_ms               left -1 where no opening is to come
--         unadmitted                           the show requires admission, and the holder has no pass in time
--         none epoch version place...          the place in each set of the first seat that is in the way
--         over most has category               a free set would take the holder over a limit; category: its name, or
--                                              nothing for the show's
local FIXED_KEYS = 5
local meta_key, seats_key, due_key, changes_key, passes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- @include integer
local NOTE_KEYS = FIXED_KEYS
FIXED_KEYS = FIXED_KEYS + integer(ARGV[1], 1, 512)
-- @include grant
-- @include asked
-- @include admission
-- @include overtime

-- A note says which seats an owner was given, so that the same request asked again, also with other sets, gets no more.
-- It lasts as long as the first hold can: its maximum lifetime, and what a payment may go on beyond that.
local notes = {} -- as the earlier requests of the batch leave them
local note_keys, note_ends = {}, {}

local function note_at(key)
  if notes[key] == nil then
    notes[key] = redis.call('GET', key)
  end
  return notes[key]
end

local function names_at(places)
  local found = {}
  for index, place in ipairs(places) do
    found[index] = names[place]
  end
  return table.concat(found, '\n')
end

local function held(set, hold)
  return {'held', set, tonumber(hold.epoch), hold.fence, hold.deadline - now, hold.deadline}
end

-- The place in a set of the first seat that is not free to a request that names this channel, if any; nil if all are.
local function in_the_way(places, channel)
  for index, place in ipairs(places) do
    local mirror = mirrors[place]
    if not mirror or live_lock(place) or not is_free(mirror, channel) then
      return index
    end
  end
end

-- The seats of a set that are under the token already, and the others.
local function own_of(places, token, holder)
  local own, others = {}, {}
  for _, place in ipairs(places) do
    local lock = live_lock(place)
    local mine = lock and lock.state == 'h' and lock.token == token and lock.holder == holder
    local to = mine and own or others
    to[#to + 1] = place
  end
  return own, others
end

local function over_limit(owner, places)
  if lists then
    local most, has, category = exceeded(holder_of(owner), places)
    return most and {'over', most, has, category}
  end
end

local function take(owner, ttl, set, places, note_key)
  local hold = grant(owner, ttl, places)
  notes[note_key] = names_at(places)
  note_keys[#note_keys + 1] = note_key
  note_ends[#note_keys] = hold.limit + OVERTIME
  return held(set, hold)
end

-- The sets of a request, each as the places of its seats.
local function sets_of(first, size, count)
  local sets = {}
  for set = 1, math.floor(count / size) do
    local places = {}
    for index = 1, size do
      places[index] = place_of[names[first + (set - 1) * size + index]]
    end
    sets[set] = places
  end
  return sets
end

-- The replay comes before the status: a set that the owner was given is the owner's, or free again.
local function replay(owner, ttl, sets, note, channel)
  for set, places in ipairs(sets) do
    if names_at(places) == note then
      local holder = holder_of(owner)
      local own, others = own_of(places, token_of(owner), holder)
      if #others == 0 then
        repair(own, holder_of(owner))
        return held(set, whole_hold(own))
      elseif status == 'open' and requires_admission and not is_admitted(holder) then
        return {'unadmitted'}
      elseif status == 'open' and not in_the_way(others, channel) then
        local over = over_limit(owner, others)
        if over then
          return over
        end
        repair(own, holder_of(owner))
        return held(set, grant(owner, ttl, others, whole_hold(own)))
      end
    end
  end
  local seats = {}
  for name in string.gmatch(note, '[^\n]+') do
    seats[#seats + 1] = name
  end
  return {'noted', unpack(seats)}
end

local function answer(note_key, owner, ttl, size, first, count, channel)
  local sets, note = sets_of(first, size, count), note_at(note_key)
  if note then
    return replay(owner, ttl, sets, note, channel)
  elseif status ~= 'open' then
    return {'closed', status, left_until(opens)}
  elseif requires_admission and not is_admitted(holder_of(owner)) then
    return {'unadmitted'}
  end
  local ways, refusal = {}, nil
  for set, places in ipairs(sets) do
    local way = in_the_way(places, channel)
    local over = not way and over_limit(owner, places)
    if not way and not over then
      return take(owner, ttl, set, places, note_key)
    end
    ways[set], refusal = way or 1, refusal or over
  end
  if refusal then -- by the limit of a category, where sets of another may not come in question
    return refusal
  end
  -- The version at which that is so: what the batch has taken so far counts.
  return {'none', tonumber(epoch), version + (#fields > 0 and 1 or 0), unpack(ways)}
end

local BOUNDS = {1, 86400000, 1, 100, 1, 512}
local reply = {'ok'}
local argument, place = 2, 0
local requests = integer(ARGV[1], 1, 512)
if #ARGV > 2 * requests + 1 then
  read_extras(2 * requests + 2, requests)
end
for request = 1, requests do
  local terms = terms_of(ARGV[argument + 1], BOUNDS)
  reply[request + 1] = answer(KEYS[NOTE_KEYS + request], ARGV[argument], terms[1], terms[2], place, terms[3],
    channels[request])
  argument, place = argument + 2, place + terms[3]
  if terms[3] % terms[2] > 0 then place = -1 end
end
if place ~= #names then error('SEATLOCK an argument counts other seats or sets than those that came') end

-- Notes first: a note of what was not taken does no harm, since asking again asks for the same seats.
for index, key in ipairs(note_keys) do
  redis.call('SET', key, notes[key], 'PXAT', digits(note_ends[index]))
end
-- @include keep
return reply
