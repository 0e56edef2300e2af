-- @include mirror
-- Limits a holder. A show that has them keeps a list of each holder's seats: a hash, seat -> what the availability hash
-- says of the seat while it is this holder's, with the deadline while held. So it is known from the list alone what
-- still counts; what has run out goes when the list is next written. The lists of all holders of a call stand behind
-- its locks; a call that does not bring them is answered with one word, and comes again with them.
local limits, lists = facts[8], nil
if limits then
  if last_lock == #KEYS then
    return {'limits'}
  end
  lists = {}
  for at = last_lock + 1, #KEYS do
    local found, seats = redis.call('HGETALL', KEYS[at]), {}
    for index = 1, #found, 2 do
      seats[found[index]] = found[index + 1]
    end
    lists[string.sub(KEYS[at], #list_prefix + 1)] = {key = KEYS[at], seats = seats, changed = {}}
  end
end

local function list_of(holder)
  return lists[holder] or error('SEATLOCK the list of a holder is not among the keys')
end

-- Puts a seat on a list or, with false, takes it off; later requests of the batch see it.
local function enlist(holder, name, field)
  local list = list_of(holder)
  if (list.seats[name] or false) ~= field then
    list.seats[name] = field or nil
    list.changed[name] = field ~= false
    list.touched = true
  end
end

-- Takes a seat off a list that another script left behind half-way: the lock is not this holder's, and the availability
-- hash does not say what the list says.
local function strike(holder, place, lock)
  local name = names[place]
  local field = list_of(holder).seats[name]
  if field and field ~= mirrors[place] and not (lock and not lock.past and lock.holder == holder) then
    enlist(holder, name, false)
  end
end

local function counted(seats, joining)
  local total, of = 0, {}
  for name, field in pairs(seats) do
    local deadline = deadline_of(field)
    if not joining[name] and not (deadline and now > deadline) then
      local category = category_of(field) or ''
      total, of[category] = total + 1, (of[category] or 0) + 1
    end
  end
  return total, of
end

-- The refusal of free seats that would take their holder over a limit; nothing where they would not.
local LIMIT = '\n(%d+) (%d+) ([^\n]*)' -- of a category: its number, how many of it, its name
local function over_limit(holder, free)
  local joining, wanted = {}, {}
  for _, place in ipairs(free) do
    local category = category_of(mirrors[place]) or ''
    joining[names[place]], wanted[category] = true, (wanted[category] or 0) + 1
  end
  local total, of = counted(list_of(holder).seats, joining)
  local most = integer(string.match(limits, '^[^\n]*'), 1, 500)
  if total + #free > most then
    return {'over', most, total, ''}
  end
  for category, number, name in string.gmatch(limits, LIMIT) do
    most, total = integer(number, 1, 500), of[category] or 0
    if wanted[category] and total + wanted[category] > most then
      return {'over', most, total, name}
    end
  end
end

-- Before the locks where seats are taken, after them where they are given back: a script that is stopped in between
-- leaves a list that says too much, never too little. A list goes by itself with the last hold on it.
local function write_list(list)
  local sets, drops, expires = {}, {}, 0
  for name, field in pairs(list.seats) do
    local deadline = deadline_of(field)
    if deadline and now > deadline then
      drops[#drops + 1] = name
    else
      expires = math.max(expires, deadline or math.huge)
      if list.changed[name] then
        sets[#sets + 1], sets[#sets + 2] = name, field
      end
    end
  end
  for name, there in pairs(list.changed) do
    if not there then
      drops[#drops + 1] = name
    end
  end
  if #sets > 0 then
    redis.call('HSET', list.key, unpack(sets))
  end
  if #drops > 0 then
    redis.call('HDEL', list.key, unpack(drops))
  end
  if expires == math.huge then
    redis.call('PERSIST', list.key)
  elseif expires > 0 then
    redis.call('PEXPIREAT', list.key, digits(expires))
  end
end

local function write_lists()
  for _, list in pairs(lists or {}) do
    if list.touched then
      write_list(list)
    end
  end
end
