-- @include integer
-- What only a few requests of a batch carry stands behind the last request, one text each: a letter, the number of the
-- request, the rest. A batch without any pays one comparison.
--   c channel            the request names a channel: see asked
--   p pool quantity      the request wants so many of a pool, which is told by its place among those of the batch
local takes = {} -- by letter: what takes in the number of the request and the rest
local function read_extras(first, requests)
  for at = first, #ARGV do
    local letter, request, rest = string.match(ARGV[at], '^(%l) (%d+) (.+)$')
    if not takes[letter or ''] then
      error('SEATLOCK an argument behind the requests is nothing that this script knows')
    end
    takes[letter](integer(request, 1, requests), rest)
  end
end
