-- @include channels
-- @include extras
-- The number of the channel that a request names; nil if it names none, or one that no seat was ever in.
local channels, channel_numbers = {}, nil
function takes.c(request, name)
  channel_numbers = channel_numbers or channels_of(redis.call('HMGET', meta_key, 'channels')[1])
  channels[request] = channel_numbers[name]
end
