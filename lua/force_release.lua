-- force_release: frees the seats of N holds, whoever has them, where each is still under the fence that was looked at;
-- never pinned or sold ones. Likewise a holder's claims on pools, behind the last request: see extras. Every seat and
-- every claim that it frees is noted in the audit stream.
--
-- KEYS  meta seats due changes audit | lock (one a seat, request by request)   then pools, then holder, with limits
-- ARGV  requests | by reason (epoch fence seats)
-- REPLY noshow
--       limits                                          there are limits, and no lists came; nothing was done
--       ok, then for each request one word a seat: released, gone, taken, pinned or sold  and how many of each pool
local FIXED_KEYS = 5
local meta_key, seats_key, due_key, changes_key, audit_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- @include clock
-- @include terms
-- @include show
-- @include lock
-- @include read
-- @include batch
-- @include claims
-- @include limits
-- @include first
-- @include audit

redis.call('ZCARD', due_key) -- type-checked before the first write
check_changes()
check_audit()
local deletes, given_back = {}, {}

-- Whose claims a request is about.
local holders = {}
function takes.h(request, holder)
  holders[request] = holder
end

local function free_claims(by, reason, hold_epoch, fence, wanted, holder, words)
  for _, want in ipairs(wanted) do
    local claim, given_back = store.claim(want.pool, holder), 0
    if claim and not claim.past and claim.fence == fence and tonumber(claim.epoch) == hold_epoch then
      given_back = claim.quantity
      audit('force-release', by, reason, holder, claim, 'pool', want.pool.name, 'quantity', digits(given_back))
      store.end_claim(want.pool, holder, claim)
    end
    words[#words + 1] = given_back
  end
  claims.list(wanted, '', holder, mend)
end

local function answer(by, reason, hold_epoch, fence, first, count)
  local words = {}
  for index = 1, count do
    local place = place_of[names[first + index]]
    local lock, mirror = lock_at(place), mirrors[place]
    if not lock or lock.past then
      words[index] = 'gone'
      for holder in pairs(lists or {}) do -- one of them may have a script behind that was stopped half-way
        strike(holder, place, lock)
      end
    elseif lock.state ~= 'h' then
      words[index] = STATES[lock.state]
    elseif lock.fence ~= fence or tonumber(lock.epoch) ~= hold_epoch then
      words[index] = 'taken' -- another hold than the one that was looked at; so a lost reply can be asked for again
    else
      words[index] = 'released'
      audit('force-release', by, reason, lock.holder, lock, 'seat', names[place])
      deletes[#deletes + 1] = KEYS[FIXED_KEYS + place]
      given_back[#given_back + 1] = names[place]
      replace_lock(place, false)
      -- A mirror that says sold or blocked stays as it is: only what was held becomes free.
      if mirror and string.find(mirror, '^[cfh]') then
        change(names[place], free_field(mirror))
      end
      if lists then
        mend(lock.holder, names[place], nil)
      end
    end
  end
  return words
end

local BOUNDS = {0, 2 ^ 40, 0, 2 ^ 40 - 1, 0, 512}
local reply = {'ok'}
local argument, place = 2, 0
local requests = integer(ARGV[1], 1, 512)
if #ARGV > 3 * requests + 1 then
  read_extras(3 * requests + 2, requests)
end
for request = 1, requests do
  local by, reason = ARGV[argument], ARGV[argument + 1]
  local terms = terms_of(ARGV[argument + 2], BOUNDS)
  if terms[3] == 0 then
    check_wants(request)
  end
  local words = answer(by, reason, terms[1], terms[2], place, terms[3])
  if wants[request] then
    free_claims(by, reason, terms[1], terms[2], wants[request], holders[request], words)
  end
  reply[request + 1] = words
  argument, place = argument + 3, place + terms[3]
end

local of_pools = store and store.dirty
if #deletes > 0 or of_pools then
  begin_with_a_delete(due_key)
  write_audit()
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
    redis.call('DEL', unpack(deletes)) -- last: while the lock is there, asking again does what is left to do
  end
end
write_lists()
return reply
