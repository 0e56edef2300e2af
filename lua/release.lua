-- release: gives the seats of N holds back, seat by seat, where the caller's token still owns them.
--
-- KEYS  meta seats due changes | lock (one a seat, request by request)   then pools, then holder, with limits
-- ARGV  requests | owner (undo seats)
-- REPLY noshow
--       limits                                          there are limits, and no lists came; nothing was done
--       ok, then for each request one word a seat: released, gone, taken, pinned or sold  and how many of each pool
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
-- @include first

redis.call('ZCARD', due_key) -- type-checked before the first write
check_changes()
local deletes, given_back = {}, {}

-- `undo` spares a hold that was resumed since, and calls it taken: another call of its holder's counts on it.
local function answer(owner, undo, first, count, wanted)
  local token, holder, words = token_of(owner), holder_of(owner), {}
  for index = 1, count do
    local place = place_of[names[first + index]]
    local lock, mirror = lock_at(place), mirrors[place]
    if not lock or lock.past then
      words[index] = 'gone'
    elseif lock.state ~= 'h' then
      words[index] = STATES[lock.state]
    elseif lock.token ~= token or lock.holder ~= holder or undo and is_resumed(lock) then
      words[index] = 'taken'
    else
      words[index] = 'released'
      deletes[#deletes + 1] = KEYS[FIXED_KEYS + place]
      given_back[#given_back + 1] = names[place]
      replace_lock(place, false)
      -- A mirror that says sold or blocked stays as it is: only what was held becomes free.
      if mirror and string.find(mirror, '^[cfh]') then
        change(names[place], free_field(mirror))
      end
    end
    if lists and words[index] == 'released' then
      mend(holder, names[place], nil)
    elseif lists then
      strike(holder, place, lock)
    end
  end
  if wanted then
    claims.release(wanted, token, holder, undo, words)
    claims.list(wanted, token, holder, mend)
    claims.strike(wanted, holder)
  end
  return words
end

local BOUNDS = {0, 1, 0, 512}
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
  reply[request + 1] = answer(ARGV[argument], terms[1] == 1, place, terms[2], wants[request])
  argument, place = argument + 2, place + terms[2]
end

local of_pools = store and store.dirty
if #deletes > 0 or of_pools then
  begin_with_a_delete(due_key)
  if #fields > 0 or of_pools then
    next_version()
    publish(of_pools and store.with_changes(fields) or fields)
  end
  if #fields > 0 then
    redis.call('HSET', seats_key, unpack(fields))
  end
  if of_pools then
    store.write()
  end
  if #deletes > 0 then
    redis.call('ZREM', due_key, unpack(given_back))
    redis.call('DEL', unpack(deletes)) -- last: while the lock is there, releasing again does what is left to do
  end
end
write_lists()
return reply
