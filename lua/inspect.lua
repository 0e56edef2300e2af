-- inspect: what is known of each seat, for support staff; never the token.
--
-- KEYS  meta seats blocks | lock (one a seat)
-- ARGV  |
-- REPLY noshow
--       ok plan, then for each seat one of
--         unknown
--         state category left_ms consistent reason                                 left_ms -1 where it does not apply;
--                                                                                  reason empty where there is none
--         state category left_ms consistent holder epoch fence booking payment     where there is a lock
local FIXED_KEYS = 3
local meta_key, seats_key, blocks_key = KEYS[1], KEYS[2], KEYS[3]
-- @include clock
-- @include integer
-- @include lock
-- @include told
-- @include read

local facts = redis.call('HMGET', meta_key, 'status', 'plan')
if not facts[1] then
  return {'noshow'}
end

local reasons = redis.call('HMGET', blocks_key, unpack(names))

local function look(mirror, lock, reason)
  if not mirror then
    return {'unknown'}
  end
  local state, deadline = told(mirror)
  local ours = state ~= nil
  state = state or 'b' -- a field that is none of ours: nobody sells the seat
  if lock and lock.past then
    lock = nil
  end
  if state == 'h' and now > deadline then
    state = 'f'
  end
  local consistent
  if lock then
    consistent = not lock.foreign and lock.state == state and (state ~= 'h' or lock.deadline == deadline)
    state = lock.state
    deadline = lock.deadline
  else
    consistent = ours and (state == 'f' or state == 'b')
  end
  local seat = {STATES[state], category_of(mirror) or '', state == 'h' and deadline - now or -1, consistent and 1 or 0,
                state == 'b' and reason or ''}
  if lock and not lock.foreign then
    seat[5], seat[6], seat[7] = lock.holder, tonumber(lock.epoch), lock.fence
    seat[8], seat[9] = lock.booking or '', lock.payment or ''
  end
  return seat
end

local reply = {'ok', facts[2] or ''}
for place = 1, #names do
  reply[place + 2] = look(mirrors[place], parse_lock(locks[place]), reasons[place])
end
return reply
