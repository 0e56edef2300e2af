-- set_channel: puts seats into a channel, or back to the public, all or none; each keeps its state, and its hold.
--
-- KEYS  meta seats changes |
-- ARGV  channel | seat                                  channel: empty for the public
-- REPLY noshow
--       ok place...                                     places of seats that were there before
--       unknown place...                                nothing was written
--       full most                                       the show has as many channels as it may; nothing was written
local meta_key, seats_key, changes_key = KEYS[1], KEYS[2], KEYS[3]
local MOST = 100
-- @include show
-- @include channels

check_changes()
local channel = ARGV[1]
local text = redis.call('HMGET', meta_key, 'channels')[1] or ''
local numbers, channel_names = channels_of(text)
local suffix = ''
if channel ~= '' then
  suffix = numbers[channel] or numeral(#channel_names + 1)
  suffix = '@' .. suffix
end

local mirrors = redis.call('HMGET', seats_key, unpack(ARGV, 2))
local fields, ok, unknown = {}, {'ok'}, {'unknown'}
for place = 1, #ARGV - 1 do
  local mirror = mirrors[place]
  if not mirror then
    unknown[#unknown + 1] = place
  else
    local letter, category, own, rest = string.match(mirror, '^(%l)(%d*)(@?%d*)(.*)$')
    if own == suffix then
      ok[#ok + 1] = place
    else
      if letter == 'f' or letter == 'c' then
        letter = suffix == '' and 'f' or 'c'
      end
      fields[#fields + 1] = ARGV[place + 1]
      fields[#fields + 1] = letter .. category .. suffix .. rest
    end
  end
end

if #unknown > 1 then
  return unknown
elseif #fields == 0 then
  return ok
elseif channel == '' or numbers[channel] then
  next_version()
elseif #channel_names < MOST then
  next_version('channels', text == '' and channel or text .. '\n' .. channel)
else
  return {'full', MOST}
end
publish(fields)
redis.call('HSET', seats_key, unpack(fields))
return ok
