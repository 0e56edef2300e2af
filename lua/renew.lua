-- renew: gives the passes of N holders their full time again, as often as the room allows. Each says how many renewals
-- it has seen left: so one that is asked for again, after a lost reply, is not spent twice.
--
-- KEYS  room passes grants |
-- ARGV  | holder renewals
-- REPLY noroom
--       ok status now_ms served slow fast people poll_ms opens_ms, then for each request one of
--         admitted place left_ms deadline_ms renewals
--         spent place left_ms deadline_ms renewals   no renewal is left; nothing was changed
--         gone                                       no pass in time
local room_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3]
local holders = {}
for request = 1, math.ceil(#ARGV / 2) do
  holders[request] = ARGV[2 * request - 1]
end
-- @include passes

local reply, passes = {'ok', serving()}, {}
local length = integer(room.pass, 1, 86400000)
for request, holder in ipairs(holders) do
  local seen = integer(ARGV[2 * request], 0, 1000)
  local pass = passes[holder] or pass_of(request)
  passes[holder] = pass
  if not pass then
    reply[#reply + 1] = {'gone'}
  elseif seen == 0 and pass.renewals == 0 then
    reply[#reply + 1] = {'spent', pass.place, pass.deadline - now, pass.deadline, pass.renewals}
  else
    if seen == pass.renewals then
      pass.renewals, pass.deadline, pass.renewed = seen - 1, math.max(pass.deadline, now + length), true
    end
    reply[#reply + 1] = {'admitted', pass.place, pass.deadline - now, pass.deadline, pass.renewals}
  end
end
for holder, pass in pairs(passes) do
  if pass.renewed then
    keep_pass(holder, pass)
  end
end
return reply
