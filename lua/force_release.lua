-- force_release: frees the seats of N holds, whoever has them, where each is still under the fence that was looked at;
-- never pinned or sold ones. Every seat that it frees is noted in the audit stream.
--
-- KEYS  meta seats due changes audit | lock (one a seat, request by request)   then holder, with limits
-- ARGV  requests | by reason (epoch fence seats)
-- REPLY noshow
--       limits                                          there are limits, and no lists came; nothing was done
--       ok, then for each request one word a seat: released, gone, taken, pinned or sold
local FIXED_KEYS = 5
local meta_key, seats_key, due_key, changes_key, audit_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- @include clock
-- @include terms
-- @include show
-- @include lock
-- @include read
-- @include batch
-- @include limits
-- @include first
-- @include audit

redis.call('ZCARD', due_key) -- type-checked before the first write
check_changes()
check_audit()
local deletes, given_back = {}, {}

local function answer(by, reason, hold_epoch, fence, first, count)
  local words = {}
  for index = 1, count do
    local place = place_of[names[first + index]]
    local lock, mirror = lock_at(place), mirrors[place]
    if not lock or lock.past then
      words[index] = 'gone'
    elseif lock.state ~= 'h' then
      words[index] = STATES[lock.state]
    elseif lock.fence ~= fence or tonumber(lock.epoch) ~= hold_epoch then
      words[index] = 'taken' -- another hold than the one that was looked at; so a lost reply can be asked for again
    else
      words[index] = 'released'
      audit('force-release', by, reason, names[place], lock)
      deletes[#deletes + 1] = KEYS[FIXED_KEYS + place]
      given_back[#given_back + 1] = names[place]
      replace_lock(place, false)
      -- A mirror that says sold or blocked stays as it is: only what was held becomes free.
      if mirror and string.find(mirror, '^[fh]') then
        change(names[place], 'f' .. category_of(mirror))
      end
      if lists then
        mend(lock.holder, names[place], nil)
      end
    end
  end
  return words
end

local BOUNDS = {0, 2 ^ 40, 0, 2 ^ 40 - 1, 1, 512}
local reply = {'ok'}
local argument, place = 2, 0
for request = 1, integer(ARGV[1], 1, 512) do
  local terms = terms_of(ARGV[argument + 2], BOUNDS)
  reply[request + 1] = answer(ARGV[argument], ARGV[argument + 1], terms[1], terms[2], place, terms[3])
  argument, place = argument + 3, place + terms[3]
end

if #deletes > 0 then
  begin_with_a_delete()
  write_audit()
  if #fields > 0 then
    next_version()
    publish(fields)
    redis.call('HSET', seats_key, unpack(fields))
  end
  redis.call('ZREM', due_key, unpack(given_back))
  redis.call('DEL', unpack(deletes)) -- last: while the lock is there, asking again does what is left to do
end
write_lists()
return reply
