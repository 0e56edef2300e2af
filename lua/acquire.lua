-- acquire: holds seats for each of N requests, in order, each answered as if it had come alone. What only a few of them
-- carry, a channel or quantities of pools, comes behind the last one: see extras.
--
-- KEYS  meta seats due changes passes | lock (one a seat, request by request)   then pools, then holder, with limits
-- ARGV  requests | owner (ttl_ms seats)
-- REPLY noshow
--       limits                                          there are limits, and no lists came; nothing was done
--       ok, then for each request one of
--         held epoch fence left_ms deadline_ms
--         resumed epoch fence left_ms deadline_ms token
--         refused (place state left_ms mark)...      mark: yours, inconsistent or nothing; left -1 where unknown;
--                                                    of a pool also how many are left: 'left 3' or 'yours 3'
--         unknown place...
--         closed status left_ms                    left -1 where no opening is to come
--         unadmitted                               the show requires admission, and the holder has no pass in time
--         again                                      a pool has more to take back than one call may: ask again
--         over most has category pool                    over a limit; of these its name, nothing for the show's
local FIXED_KEYS = 5
local meta_key, seats_key, due_key, changes_key, passes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- @include grant
-- @include state
-- @include claims
-- @include asked
-- @include admission

local epoch_number = tonumber(epoch)
local resumed_places = {} -- whose locks are to say that they were resumed

local function held(word, hold)
  return {word, tonumber(hold.epoch), hold.fence, hold.deadline - now, hold.deadline}
end

-- From now on a caller that went away gives these seats back no more: see `release`.
local function mark_resumed(places)
  for _, place in ipairs(places) do
    if not is_resumed(lock_at(place)) then
      replace_lock(place, resumed_lock(locks[place]))
      resumed_places[#resumed_places + 1] = place
    end
  end
end

-- Sorts the seats of a request: under its own token, under another token of the same holder, free, or in the way.
local function look(token, holder, first, count, channel)
  local own, yours, free, refused, unknown = {}, {}, {}, {'refused'}, nil
  local several = false -- whether the holder's other seats are under more than one token
  for index = 1, count do
    local place = place_of[names[first + index]]
    local mirror, lock = mirrors[place], live_lock(place)
    local mine = lock and lock.holder == holder
    if not mirror then
      unknown = unknown or {'unknown'}
      unknown[#unknown + 1] = index
    elseif not lock and is_free(mirror, channel) then
      free[#free + 1] = place
    elseif mine and lock.state == 'h' and lock.token == token then
      own[#own + 1] = place
    else
      local state = state_of(mirror, lock)
      local left, mark = -1, ''
      if mine then
        mark = 'yours'
        if state == 'h' then
          yours[#yours + 1] = place
          several = several or lock.token ~= lock_at(yours[1]).token
        end
      elseif lock and lock.foreign or not lock and state ~= 'b' and state ~= 'c' then
        mark = 'inconsistent'
      end
      if state == 'h' and not (lock and lock.foreign) then
        left = (lock and lock.deadline or deadline_of(mirror)) - now
      end
      local at = #refused
      refused[at + 1], refused[at + 2], refused[at + 3], refused[at + 4] = index, STATES[state], left, mark
    end
  end
  return own, yours, free, refused, unknown, several
end

-- A new hold of one seat: what `grant` does, without its tables.
local function grant_one(head, ttl, place)
  fence = fence + 1
  local limit = now + max_hold
  local deadline = math.min(now + ttl, limit)
  local value = held_lock(head, epoch, fence, deadline, limit, '')
  lock_seat(place, value, deadline)
  return {'held', epoch_number, fence, deadline - now, deadline}
end

local plain = status == 'open' and not lists and not requires_admission -- nothing to ask but whether a seat is free
local NO_POOLS = {own = {}, owned = 0, yours = {}, take = {}}
local function answer(owner, ttl, first, count, wanted, channel)
  -- Most requests on most nights: one seat, and it is free.
  if count == 1 and plain and not wanted then
    local place = place_of[names[first + 1]]
    local mirror = mirrors[place]
    if not locks[place] and mirror and string.byte(mirror) == FREE then
      return grant_one(held_by(owner), ttl, place)
    end
  end

  local token, holder = token_of(owner), holder_of(owner)
  local own, yours, free, refused, unknown, several = look(token, holder, first, count, channel)
  local all, of_pools = count, NO_POOLS
  if wanted then
    all, of_pools = count + #wanted, claims.look(wanted, token, holder, count, refused)
    for _, index in ipairs(of_pools.unknown) do
      unknown = unknown or {'unknown'}
      unknown[#unknown + 1] = index
    end
    for _, claim in ipairs(of_pools.yours) do
      several = several or claim.token ~= (yours[1] and lock_at(yours[1]) or of_pools.yours[1]).token
    end
  end
  if unknown then
    return unknown
  end
  -- Replay and resume come before status, admission and limits.
  if #own + of_pools.owned == all then
    repair(own, holder)
    if wanted then
      claims.list(wanted, token, holder, mend)
    end
    return held('held', whole_hold(own, of_pools.own))
  elseif #yours + #of_pools.yours == all and not several then
    repair(yours, holder)
    mark_resumed(yours)
    local hold = whole_hold(yours, of_pools.yours)
    if wanted then
      claims.list(wanted, hold.token, holder, mend)
      if claims.mark_resumed(wanted, holder) then
        kept_pools = store
      end
    end
    local resumed = held('resumed', hold)
    resumed[6] = hold.token
    return resumed
  elseif status ~= 'open' then
    return {'closed', status, left_until(opens)}
  elseif requires_admission and not is_admitted(holder) then
    return {'unadmitted'}
  elseif #refused > 1 then
    return refused
  elseif of_pools.again then
    kept_pools = store -- what was taken back, so that asking again gets further
    return {'again'}
  end
  if lists then
    local most, has, category, pool = exceeded(holder, free, of_pools.take)
    if most then
      return {'over', most, has, category, pool}
    end
  end
  repair(own, holder)
  local hold = grant(owner, ttl, free, whole_hold(own, of_pools.own))
  if #of_pools.take > 0 then
    claims.take(of_pools.take, token, holder, hold)
    kept_pools = store
  end
  if wanted then
    claims.list(wanted, token, holder, enlist)
  end
  return held('held', hold)
end

local BOUNDS = {1, 86400000, 0, 512}
local reply = {'ok'}
local argument, place = 2, 0
local requests = integer(ARGV[1], 1, 512)
if #ARGV > 2 * requests + 1 then
  read_extras(2 * requests + 2, requests)
end
for request = 1, requests do
  local terms = terms_of(ARGV[argument + 1], BOUNDS)
  if terms[2] == 0 then
    check_wants(request)
  end
  reply[request + 1] = answer(ARGV[argument], terms[1], place, terms[2], wants[request], channels[request])
  argument, place = argument + 2, place + terms[2]
end

-- @include keep
-- Not worth a failure: on a full server a resumed hold is as good without the mark.
for _, place in ipairs(resumed_places) do
  redis.pcall('SET', KEYS[FIXED_KEYS + place], locks[place], 'PXAT', digits(lock_at(place).deadline), 'XX')
end
return reply
