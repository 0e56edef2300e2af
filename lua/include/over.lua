-- @include limits
-- What acquire asks of the lists: whether more seats, or more of pools, would take their holder over a limit.
local MOST = 500

local function counted(list)
  if not list.of then
    list.total, list.of = 0, {}
    for name, field in pairs(list.seats) do
      add(list, name, field, 1)
    end
  end
  return list
end

local of_show, of_kind -- read when first asked for; by the kind of an entry: how many of it, category, pool
local function read_limits()
  if not of_show then
    of_show, of_kind = integer(string.match(limits, '^[^\n]*'), 1, MOST), {}
    for kind, number, name in string.gmatch(limits, '\n([%dp]+) (%d+) ([^\n]*)') do
      if kind == 'p' then
        of_kind[table.concat({'', name}, '\n')] = {integer(number, 1, MOST), '', name}
      else
        of_kind[kind] = {integer(number, 1, MOST), name, ''}
      end
    end
  end
end

-- The limit that free seats and quantities of pools would take their holder over, what it has, and the category or the
-- pool, if it is one's; nothing where they would not. What was left on the list of what is free counts already, and so
-- does a claim; where the quantities come beside it, only so many of each as are `moved` out of it.
local function exceeded(holder, free, wanted, moved)
  read_limits()
  local list, more, kinds, more_of = counted(list_of(holder)), 0, {}, {}
  local function want(name, kind, quantity)
    local field = list.seats[name]
    if field and not is_past(field) then
      quantity = quantity - counts_for(name, field)
    end
    kinds[#kinds + 1] = kind
    more, more_of[kind] = more + quantity, (more_of[kind] or 0) + quantity
  end
  for _, place in ipairs(free) do
    want(names[place], category_of(mirrors[place]), 1)
  end
  for index, of_pool in ipairs(wanted or {}) do
    local pool = of_pool.pool
    want(not moved and entry_of('h', pool), entry_of('', pool), of_pool.quantity - (moved and moved[index] or 0))
  end
  if list.total + more > of_show then
    return of_show, list.total, '', ''
  end
  for _, kind in ipairs(kinds) do
    local limit, has = of_kind[kind], list.of[kind] or 0
    if limit and has + more_of[kind] > limit[1] then
      return limit[1], has, limit[2], limit[3]
    end
  end
end
