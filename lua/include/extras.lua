-- @include integer
-- @include channels
-- What only a few requests of a batch carry stands behind the last request, one text each: a letter, the number of the
-- request, the rest. A batch without any pays one comparison.
--   c channel      the request names a channel
local takes = {} -- by letter: what takes in the number of the request and the rest
local function read_extras(first, requests)
  for at = first, #ARGV do
    local letter, request, rest = string.match(ARGV[at], '^(%l) (%d+) (.+)$')
    if not takes[letter] then
      error('SEATLOCK an argument behind the requests is nothing that this script knows')
    end
    takes[letter](integer(request, 1, requests), rest)
  end
end

-- The number of the channel that a request names; nil if it names none, or one that no seat was ever in.
local channels, channel_numbers = {}, nil
function takes.c(request, name)
  channel_numbers = channel_numbers or channels_of(redis.call('HMGET', meta_key, 'channels')[1])
  channels[request] = channel_numbers[name]
end
