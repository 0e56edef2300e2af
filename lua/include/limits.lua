-- @include mirror
-- Limits a holder. A show that has them keeps a list of each holder's seats: a hash, seat -> what the availability hash
-- says of the seat while it is this holder's, with the deadline while held. What it has of pools stands there too, by
-- the names that this has in the hash of the pools, but for the holder; a space and the quantity follow the field. So
-- it is known from the list alone what still counts; what has run out counts no more, and goes when the list is next
-- written. A list never has more entries than a limit may be, so it is read whole. The lists of all holders of a call
-- stand behind its locks; a call that does not bring them is answered with one word, and comes again with them.
local limits, lists = facts[8], nil
if limits then
  local LIST, first_list = 104, #KEYS + 1 -- 104 is the byte of h; pools may stand before the lists
  while string.byte(KEYS[first_list - 1], letter_at) == LIST do
    first_list = first_list - 1
  end
  if first_list > #KEYS then
    return {'limits'}
  end
  lists = {}
  local prefix = letter_at + #'holder:'
  for at = first_list, #KEYS do
    local found, seats = redis.call('HGETALL', KEYS[at]), {}
    for index = 1, #found, 2 do
      seats[found[index]] = found[index + 1]
    end
    lists[string.sub(KEYS[at], prefix)] = {key = KEYS[at], seats = seats, changed = {}}
  end
end

local function list_of(holder)
  return lists[holder] or error('SEATLOCK the list of a holder is not among the keys')
end

-- When an entry runs out; nil for one that is sold.
local function end_of(field)
  return tonumber(string.match(field, '^h%d*:(%d+)') or '')
end

local function is_past(field)
  local deadline = end_of(field)
  return deadline ~= nil and now > deadline
end

-- The name of an entry of a pool: h for the claim, s and its epoch and fence for a sale.
local function entry_of(letter, pool, key)
  return table.concat({letter, pool.name, key}, '\n')
end

-- What an entry counts for: how many, and of which kind: the number of a category, or a line break and a pool's name.
local function counts_for(name, field)
  local pool = string.match(name, '^%l(\n[^\n]+)')
  if pool then
    return integer(string.match(field, ' (%d+)$'), 1, 10 ^ 6), pool
  end
  return 1, category_of(field) or ''
end

-- How much of a list counts, in all and of each kind: found when first asked for, and kept up from then on.
local function add(list, name, field, sign)
  if field and not is_past(field) then
    local number, kind = counts_for(name, field)
    list.total = list.total + sign * number
    list.of[kind] = (list.of[kind] or 0) + sign * number
  end
end

-- Puts an entry on a list or, with nil, takes it off; later requests of the batch see it. What is there already is
-- written again: a script may have been stopped before it set the list's expiry.
local function enlist(holder, name, field)
  local list = list_of(holder)
  if list.of then
    add(list, name, list.seats[name], -1)
    add(list, name, field, 1)
  end
  list.seats[name] = field
  list.changed[name] = field ~= nil
  list.touched = true
end

-- Takes an entry off a list, and in Redis only when all else is written, by `drop_last`: what it tells of is given back
-- by a script that takes something, and so writes its lists before.
local last_drops = {}
local function delist_last(holder, name)
  local list = list_of(holder)
  if list.of then
    add(list, name, list.seats[name], -1)
  end
  list.seats[name], list.changed[name] = nil, nil
  table.insert(last_drops, {list.key, name})
end

local function drop_last()
  for _, drop in ipairs(last_drops) do
    redis.call('HDEL', drop[1], drop[2])
  end
end

-- What a list says of a seat on hold, whatever the house has made of its mirror meanwhile.
local function on_hold(mirror, deadline)
  return 'h' .. category_of(mirror) .. ':' .. digits(deadline)
end

-- What a list says of a seat whose mirror is this: a list knows nothing of channels, which can change at any time.
local function as_listed(mirror)
  local field = string.gsub(mirror, '@%d+', '')
  return field
end

-- Sets a list right that fell behind, and writes nothing where it did not.
local function mend(holder, name, field)
  if list_of(holder).seats[name] ~= field then
    enlist(holder, name, field)
  end
end

-- Takes a seat off a list where a script that was stopped half-way left it behind: its lock is somebody else's, or it
-- has none and the availability hash does not say what the list says.
local function strike(holder, place, lock)
  local field, owner = list_of(holder).seats[names[place]], lock and not lock.past and lock.holder
  if field and (owner and owner ~= holder or not owner and field ~= as_listed(mirrors[place] or '')) then
    enlist(holder, names[place], nil)
  end
end

-- Before the locks where seats are taken, after them where they are given back: a script that is stopped in between
-- leaves a list that says too much, never too little. A list goes by itself with the last hold on it.
local function write_list(list)
  local sets, drops, expires = {}, {}, 0
  for name, field in pairs(list.seats) do
    if is_past(field) then
      drops[#drops + 1] = name
    else
      expires = math.max(expires, end_of(field) or math.huge)
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
      list.touched = false
    end
  end
end
