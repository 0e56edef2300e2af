-- heartbeat: N holders are still there; tells each how it stands in the line.
--
-- KEYS  room queue passes grants early drawn here_0 here_1 kept_0 kept_1 |
-- ARGV  | holder
-- REPLY noroom
--       ok status now_ms served slow fast people poll_ms opens_ms, then for each request one of
--         waiting place ahead back
--         admitted place left_ms deadline_ms renewals
--         early
--         gone                                       has no place, and no pass in time
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local early_key, drawn_key, here_keys, kept_keys = KEYS[5], KEYS[6], {KEYS[7], KEYS[8]}, {KEYS[9], KEYS[10]}
local holders = {unpack(ARGV)}
-- @include present
-- @include first

local reply = {'ok', serving()}
for request = 1, #holders do
  local known, pass = standing(request)
  if pass then
    known = told(request, pass)
  elseif known and known[1] == 'waiting' then
    hear(known[2])
  end
  reply[#reply + 1] = known or {'gone'}
end

if #heard > 0 or #claims > 0 then -- nothing grows for heartbeats
  begin_with_a_delete(queue_key)
end
if lowest < low then
  redis.call('HSET', room_key, 'low', digits(lowest))
end
mark_present()
keep_claims()
return reply
