-- @include limits
-- What acquire asks of the lists: whether more seats would take their holder over a limit.
local MOST = 500

local function counted(list)
  if not list.of then
    list.total, list.of = 0, {}
    for _, field in pairs(list.seats) do
      add(list, field, 1)
    end
  end
  return list
end

local of_show, of_category -- read when first asked for; by the number of a category: how many of it, its name
local function read_limits()
  if not of_show then
    of_show, of_category = integer(string.match(limits, '^[^\n]*'), 1, MOST), {}
    for category, number, name in string.gmatch(limits, '\n(%d+) (%d+) ([^\n]*)') do
      of_category[category] = {integer(number, 1, MOST), name}
    end
  end
end

-- The limit that free seats would take their holder over, what it has, and the category, if it is a category's;
-- nothing where they would not.
local function exceeded(holder, free)
  read_limits()
  local list, more, wanted = counted(list_of(holder)), 0, {}
  for _, place in ipairs(free) do
    local field, category = list.seats[names[place]], category_of(mirrors[place])
    local new = (field and not is_past(field)) and 0 or 1 -- a free seat that was left on the list counts already
    more, wanted[category] = more + new, (wanted[category] or 0) + new
  end
  if list.total + more > of_show then
    return of_show, list.total, ''
  end
  for _, place in ipairs(free) do
    local category = category_of(mirrors[place])
    local limit, has = of_category[category], list.of[category] or 0
    if limit and has + wanted[category] > limit[1] then
      return limit[1], has, limit[2]
    end
  end
end
