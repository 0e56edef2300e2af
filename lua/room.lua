-- room: makes the waiting room of a show, or changes its settings. Never changes whether it is open, nor anybody's place.
--
-- KEYS  room queue passes grants early drawn here_0 here_1 kept_0 kept_1 admissions |
-- ARGV  most rate period_ms burst concurrency batch reserve_ms pass_ms renewals grace_ms keep_ms poll_ms seed commitment |
-- REPLY ok new status commitment                       new: 1 if there was none
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local early_key, drawn_key, here_0_key, here_1_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local kept_0_key, kept_1_key, admissions_key = KEYS[9], KEYS[10], KEYS[11]
-- @include clock
-- @include integer

local DAY, MOST_PLACES = 86400000, 2 ^ 32 - 1
local BOUNDS = {
  {'most', 1, MOST_PLACES}, {'rate', 1, 10 ^ 6}, {'period', 1, DAY}, {'burst', 1, 10 ^ 6}, {'concurrency', 0, 10 ^ 7},
  {'batch', 1, 1000}, {'reserve', 1, DAY}, {'pass', 1, DAY}, {'renewals', 0, 1000}, {'grace', 1, DAY}, {'keep', 1, DAY},
  {'poll', 1, DAY},
}
local fields = {}
for at, bound in ipairs(BOUNDS) do
  fields[2 * at - 1], fields[2 * at] = bound[1], digits(integer(ARGV[at], bound[2], bound[3]))
end
local found = redis.call('HMGET', room_key, 'status', 'commitment')
local status, commitment = found[1], found[2]
if not status then
  status, commitment = 'early', ARGV[14]
  local first = {
    'status', status, 'version', '1', 'next', '0', 'low', '1', 'served', '0', 'here', '0', 'here_at', digits(now),
    'kept', '0', 'kept_at', digits(now), 'walked', '-', 'pace', '', 'filled', digits(now), 'admitted', '0', 'early', '0',
    'level', digits(integer(ARGV[4], 1, 10 ^ 6) * integer(ARGV[3], 1, DAY)), 'seed', ARGV[13], 'commitment', commitment, 'participants', '', 'outside', '',
  }
  -- Nothing of an earlier room counts; and no key of a room is ever empty, so that it does not go away.
  redis.call('DEL', queue_key, passes_key, grants_key, early_key, drawn_key, here_0_key, here_1_key, kept_0_key,
    kept_1_key, admissions_key)
  for _, key in ipairs({queue_key, passes_key, early_key, drawn_key}) do
    redis.call('ZADD', key, '+inf', '')
  end
  redis.call('HSET', grants_key, '', '')
  redis.call('MSET', here_0_key, '\0', here_1_key, '\0', kept_0_key, '\0', kept_1_key, '\0')
  redis.call('XADD', admissions_key, '0-1', 'status', status)
  redis.call('HSET', room_key, unpack(first)) -- last but the settings: before it there is no room
  redis.call('HSET', room_key, unpack(fields))
  return {'ok', 1, status, commitment}
end
redis.call('HSET', room_key, unpack(fields))
return {'ok', 0, status, commitment}
