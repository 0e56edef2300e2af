-- extend: sets the time left of N holds from now; never shortens, never beyond the maximum lifetime. Where a payment
-- begins (1, else 0), the first one to begin it sets the time, if need be some minutes beyond the maximum lifetime, and
-- the others learn what is left.
--
-- KEYS  meta seats due changes | lock (one a seat, request by request)   then pools, then holder, with limits
-- ARGV  requests | owner (begins ttl_ms deadline_ms seats)
-- REPLY noshow
--       limits                                          there are limits, and no lists came; nothing was done
--       ok, then for each request one of
--         held epoch fence left_ms deadline_ms
--         lost (place reason)...
local FIXED_KEYS = 4
local meta_key, seats_key, due_key, changes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- @include clock
-- @include terms
-- @include show
-- @include lock
-- @include read
-- @include batch
-- @include claims
-- @include limits
-- @include ownership
-- @include overtime

redis.call('ZCARD', due_key) -- type-checked before the first write
check_changes()
local sets, due_adds = {}, {}

local function answer(owner, begins, ttl, told, first, count, wanted)
  local token, holder = token_of(owner), holder_of(owner)
  local lost, owned = {}, {}
  for index = 1, count do
    local place = place_of[names[first + index]]
    local lock = lock_at(place)
    if lock and lock.state == 'h' and not lock.past and lock.token == token and lock.holder == holder then
      owned[#owned + 1] = place
    else
      lost[#lost + 1] = index
      lost[#lost + 1] = loss(lock, mirrors[place], token, holder, told)
    end
  end
  local claimed = wanted and claims.owned(wanted, token, holder, count, told, lost)
  if #lost > 0 then
    return {'lost', unpack(lost)}
  end
  for _, place in ipairs(owned) do
    local lock = lock_at(place)
    local deadline, mark = lock.deadline, lock.mark
    if begins == 0 then
      deadline = math.max(deadline, math.min(now + ttl, lock.limit))
    elseif not is_paying(lock) then
      deadline, mark = math.max(deadline, math.min(now + ttl, lock.limit + OVERTIME)), paying_mark(lock)
    end
    local mirror = held_field(mirrors[place] or 'h', deadline)
    if deadline > lock.deadline or mark ~= lock.mark or mirrors[place] ~= mirror then
      local value = held_lock(held_by(owner), lock.epoch, lock.fence, deadline, lock.limit, mark)
      sets[#sets + 1] = {place, value, digits(deadline)}
      due_adds[#due_adds + 1] = digits(deadline)
      due_adds[#due_adds + 1] = names[place]
      change(names[place], mirror)
      replace_lock(place, value)
      mirrors[place] = mirror
      if lists then
        enlist(holder, names[place], on_hold(mirror, deadline))
      end
    elseif lists then
      mend(holder, names[place], on_hold(mirror, deadline))
    end
  end
  if wanted then
    local changed = claims.extend(wanted, holder, claimed, begins, ttl, OVERTIME)
    claims.list(wanted, token, holder, changed and enlist or mend)
  end
  local hold = whole_hold(owned, claimed)
  return {'held', tonumber(hold.epoch), hold.fence, hold.deadline - now, hold.deadline}
end

local BOUNDS = {0, 1, 1, 86400000, 0, 2 ^ 49, 0, 512}
local reply = {'ok'}
local argument, place = 2, 0
local requests = integer(ARGV[1], 1, 512)
if #ARGV > 2 * requests + 1 then
  read_extras(2 * requests + 2, requests)
end
for request = 1, requests do
  local terms = terms_of(ARGV[argument + 1], BOUNDS)
  if terms[4] == 0 then
    check_wants(request)
  end
  reply[request + 1] = answer(ARGV[argument], terms[1], terms[2], terms[3], place, terms[4], wants[request])
  argument, place = argument + 2, place + terms[4]
end

if #fields > 0 then
  next_version()
  publish(fields)
  write_lists()
  for _, set in ipairs(sets) do
    redis.call('SET', KEYS[FIXED_KEYS + set[1]], set[2], 'XX', 'PXAT', set[3])
  end
  redis.call('HSET', seats_key, unpack(fields))
  redis.call('ZADD', due_key, unpack(due_adds))
else
  write_lists()
end
if store then
  store.write()
end
return reply
