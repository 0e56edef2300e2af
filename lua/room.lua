-- room: makes the waiting room of a show, or changes its settings. Never changes whether it is open, nor a place.
--
-- KEYS  room queue passes grants early drawn here_0 here_1 kept_0 kept_1 admissions record |
-- ARGV  most rate period_ms burst live batch reserve_ms pass_ms renewals grace_ms keep_ms poll_ms seed commitment |
-- REPLY ok new status commitment                       new: 1 if there was none
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local early_key, drawn_key, here_keys, kept_keys = KEYS[5], KEYS[6], {KEYS[7], KEYS[8]}, {KEYS[9], KEYS[10]}
local admissions_key, record_key = KEYS[11], KEYS[12]
-- @include clock
-- @include integer

local DAY, MOST_PLACES = 86400000, 2 ^ 32 - 1
local SETTINGS = {
  {'most', 1, MOST_PLACES}, {'rate', 1, 10 ^ 6}, {'period', 1, DAY}, {'burst', 1, 10 ^ 6},
  {'live', 0, 10 ^ 7}, {'batch', 1, 1000}, {'reserve', 1, DAY}, {'pass', 1, DAY},
  {'renewals', 0, 1000}, {'grace', 1, DAY}, {'keep', 1, DAY}, {'poll', 1, DAY},
}
local fields, value_of = {}, {}
for at, setting in ipairs(SETTINGS) do
  local value = integer(ARGV[at], setting[2], setting[3])
  fields[2 * at - 1], fields[2 * at], value_of[setting[1]] = setting[1], digits(value), value
end
local seed, commitment = ARGV[13], ARGV[14]
if not commitment then
  error('SEATLOCK an argument is missing')
end
local found = redis.call('HMGET', room_key, 'status', 'commitment', 'rate', 'period', 'burst', 'level', 'filled')

-- What is in the bucket was brought at the old rate and is counted in parts of the old period. It stays as many
-- admissions, rounded down; what the old burst did not allow to gather, a greater one does not give.
local function settle()
  local rate, period = integer(found[3], 1, 10 ^ 6), integer(found[4], 1, DAY)
  local capacity = integer(found[5], 1, 10 ^ 6) * period
  if rate == value_of.rate and period == value_of.period and capacity == value_of.burst * period then
    return
  end
  local level, filled = integer(found[6], 0, 10 ^ 14), integer(found[7], 0, 2 ^ 49)
  if now > filled then
    level, filled = level + math.min(now - filled, math.ceil(capacity / rate)) * rate, now
  end
  level = math.min(level, capacity)
  local rest = level % period * value_of.period -- less than 2 ^ 53, as all numbers here
  level = (level - level % period) / period * value_of.period + (rest - rest % period) / period
  fields[#fields + 1], fields[#fields + 2] = 'level', digits(math.min(level, value_of.burst * value_of.period))
  fields[#fields + 1], fields[#fields + 2] = 'filled', digits(filled)
end

if found[1] then
  settle()
  redis.call('HSET', room_key, unpack(fields))
  return {'ok', 0, found[1], found[2]}
end

-- Nothing of an earlier room counts; and no key of a room is ever empty, so that it does not go away. A full server
-- refuses the first of these writes; the room itself comes last: without it the others say nothing.
redis.call('MSET', here_keys[1], '\0', here_keys[2], '\0', kept_keys[1], '\0', kept_keys[2], '\0')
redis.call('DEL', queue_key, passes_key, grants_key, early_key, drawn_key, admissions_key, record_key)
for _, key in ipairs({queue_key, passes_key, early_key, drawn_key}) do
  redis.call('ZADD', key, '+inf', '')
end
redis.call('HSET', grants_key, '', '')
redis.call('HSET', record_key, '', '')
redis.call('XADD', admissions_key, digits(now) .. '-1', 'served', '0', 'gone', '0', 'status', 'early')
redis.call('HSET', room_key, 'status', 'early', 'made', digits(now), 'version', '1', 'next', '0', 'low', '1',
  'reached', '1', 'served', '0', 'here', '0', 'here_at', digits(now), 'kept', '0', 'kept_at', digits(now),
  'walked', '-', 'pace', '', 'filled', digits(now), 'level', digits(value_of.burst * value_of.period),
  'admitted', '0', 'early', '0', 'seed', seed, 'commitment', commitment, 'participants', '', 'outside', '',
  'opens', '0', 'gone', '0', 'told', '0 0', 'trim', '0 0 0', 'tidied', digits(now), unpack(fields))
return {'ok', 1, 'early', commitment}
