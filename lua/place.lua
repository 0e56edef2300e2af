-- place: how N holders stand in the line. Writes nothing, so nobody is present for it.
--
-- KEYS  room queue passes grants early drawn |
-- ARGV  | holder
-- REPLY noroom
--       ok status now_ms served slow fast people poll_ms opens_ms, then for each request one of
--         waiting place ahead back
--         admitted place left_ms deadline_ms renewals
--         early
--         gone                                       has no place, and no pass in time
local room_key, queue_key, passes_key, grants_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local early_key, drawn_key = KEYS[5], KEYS[6]
local holders = {unpack(ARGV)}
-- @include places

local reply = {'ok', serving()}
for request = 1, #holders do
  reply[#reply + 1] = standing(request) or {'gone'}
end
return reply
