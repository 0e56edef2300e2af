-- @include rate
-- How fast the line moves in an hour: places, as a range, and people, who are fewer where some are silent. Marks say
-- every few seconds how far it had been served, and how many had been let in; the pace is looked at since each of them.
-- Where it is steady all of these agree. Where it has just changed, or stood still, they do not, and the range holds
-- what it was and what it has become.
local MARK_EVERY = 2000 -- milliseconds
local MARKS = 12
local LEAST_SPAN, LEAST_MOVED = 5000, 20 -- milliseconds and places below which nothing is said
local LEAST_OF_PART = 10 -- places below which a pace says nothing beside the others
local LEAST_ERROR = 0.1 -- part by which the truth may differ even at a steady rate: admissions come in batches
local HOUR = 3600000

-- Admissions are counted, so their number is off by its square root or so.
local function range_of(times, counts, people, before)
  local last = #times
  local span, moved = times[last] - times[1], counts[last] - counts[1]
  if span < LEAST_SPAN or moved < LEAST_MOVED then
    return ''
  end
  local slow, fast = math.huge, 0
  for at = 1, last - 1 do
    local part = counts[last] - counts[at]
    if part >= LEAST_OF_PART then
      local pace = part * HOUR / (times[last] - times[at])
      slow, fast = math.min(slow, pace), math.max(fast, pace)
    end
  end
  local off = math.max(LEAST_ERROR, 1 / math.sqrt(moved))
  local let_in = (people[last] - people[1]) * HOUR / span
  return table.concat({numeral(math.floor(slow * (1 - off))), numeral(math.ceil(math.max(fast * (1 + off), before))),
    numeral(math.floor(let_in * (1 - off))), numeral(times[1]), numeral(times[last]),
    numeral(math.floor(span / (last - 1)))}, ' ')
end

-- What a full bucket lets in at once, batch by batch, says nothing about the time to come: marks begin behind it.
local plenty = bucket.level >= (integer(limits.batch, 1, 1000) + 1) * cost
local function paced(served, all_admitted, whole_batch)
  if plenty and whole_batch then
    return ''
  end
  local _, fast, _, _, last, gap = string.match(room.pace, RANGE)
  local marks = string.match(room.pace, ';(.*)$')
  local times, counts, people = {}, {}, {}
  for time, count, number in string.gmatch(marks or '', '(%d+) (%d+) (%d+)') do
    times[#times + 1], counts[#counts + 1] = integer(time, 0, 2 ^ 49), integer(count, 0, MOST_PLACES)
    people[#people + 1] = integer(number, 0, 2 ^ 49)
  end
  if #times > 0 and now < times[#times] then -- a clock that was set back
    times, counts, people = {}, {}, {}
  elseif #times > 0 and now - times[#times] < MARK_EVERY then
    return room.pace
  end
  -- All that is seen since a rest has the rest in it: until there are other marks the line may be as fast as before.
  local before = 0
  if fast and now - integer(last, 0, 2 ^ 49) > 3 * integer(gap, 0, 2 ^ 49) then
    before = integer(fast, 0, 2 ^ 49)
  end
  times[#times + 1], counts[#counts + 1], people[#people + 1] = now, served, all_admitted
  if #times > MARKS then
    table.remove(times, 1)
    table.remove(counts, 1)
    table.remove(people, 1)
  end
  local all = {}
  for at = 1, #times do
    all[at] = table.concat({numeral(times[at]), numeral(counts[at]), numeral(people[at])}, ' ')
  end
  return table.concat({range_of(times, counts, people, before), table.concat(all, ' ')}, ';')
end
