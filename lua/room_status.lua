-- room_status: opens, pauses or closes a waiting room, or tells everybody in it that the show is sold out. The draw
-- comes before the opening: while somebody is among the early, or drawn and without a place, it does not open. A pump
-- opens only what is to open by itself now (due): the time is forgotten by whatever is done by hand.
--
-- KEYS  room early drawn admissions |
-- ARGV  status due |                                   open, paused, closed or sold_out; 1: only if its time has come
-- REPLY noroom
--       undrawn early                                  so many have no place yet; nothing was changed
--       undue status                                   it has not, or it was changed by hand; nothing was changed
--       ok before
local room_key, early_key, drawn_key, admissions_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- @include waiting
-- @include news
-- @include first

if ARGV[1] ~= 'open' and ARGV[1] ~= 'paused' and ARGV[1] ~= 'closed' and ARGV[1] ~= 'sold_out' then
  error('SEATLOCK a waiting room is open, paused, closed or sold out')
end
local wanted = ARGV[1]
if ARGV[2] == '1' and (opens == 0 or now < opens) then
  return {'undue', room.status}
end
local undrawn = redis.call('ZCARD', early_key) + redis.call('ZCARD', drawn_key) - 2
if undrawn > 0 and wanted ~= 'closed' and wanted ~= 'sold_out' then
  return {'undrawn', undrawn}
end
check_news()
begin_with_a_delete(early_key) -- pausing or closing a room must be possible on a full server, too
if room.status ~= wanted then
  version = version + 1
  -- How it moved before says nothing, and an opening time is forgotten: what somebody did by hand comes later.
  redis.call('HSET', room_key, 'version', digits(version), 'pace', '')
  publish_standing('status', wanted)
  if wanted == 'open' and room.status ~= 'paused' then -- nobody was silent while nobody could be let in
    redis.call('HSET', room_key, 'here_at', digits(now), 'kept_at', digits(now), 'tidied', digits(now), 'walked', '-')
  end
  redis.call('HSET', room_key, 'status', wanted, 'opens', '0') -- last: asking again does what is left to do
elseif room.opens ~= '0' then
  redis.call('HSET', room_key, 'opens', '0')
end
return {'ok', room.status}
