-- renew: gives the passes of N holders their full time again, as often as the room allows. Each says how many renewals
-- it has seen left: so one that is asked for again, after a lost reply, is not spent twice.
--
-- KEYS  room queue passes grants early drawn |
-- ARGV  | holder (renewals)
-- REPLY noroom
--       ok status now_ms served moved span_ms poll_ms, then for each request one of
--         admitted place left_ms deadline_ms renewals
--         spent place left_ms deadline_ms renewals   no renewal is left; nothing was changed
--         gone                                       no pass in time
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local early_key, drawn_key = KEYS[5], KEYS[6]
local holders = {}
for at = 1, #ARGV, 2 do
  holders[#holders + 1] = ARGV[at]
end
-- @include places

local reply, passes = {'ok', serving()}, {}
local length = integer(room.pass, 1, 86400000)
for request = 1, #holders do
  local holder, seen = holders[request], integer(ARGV[2 * request], 0, 1000)
  local pass = passes[holder] or pass_of(request)
  passes[holder] = pass
  if not pass then
    reply[#reply + 1] = {'gone'}
  elseif seen == 0 and pass.renewals == 0 then
    reply[#reply + 1] = {'spent', pass.place, pass.deadline - now, pass.deadline, 0}
  else
    if seen == pass.renewals then
      pass.renewals, pass.deadline, pass.renewed = seen - 1, now + length, true
    end
    reply[#reply + 1] = place_of_pass(pass)
  end
end
for holder, pass in pairs(passes) do
  if pass.renewed then
    redis.call('ZADD', passes_key, 'XX', digits(pass.deadline), holder)
    redis.call('HSET', grants_key, holder, digits(pass.place) .. ' ' .. digits(pass.renewals) .. ' 1')
  end
end
return reply
