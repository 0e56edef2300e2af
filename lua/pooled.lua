-- pooled: some of what is kept of the pools, claim by claim and sale by sale, and where it contradicts what is kept
-- beside it: for those who check a show, or list who has what. It changes nothing, and a token is never told.
--
-- KEYS  meta pools | pool_due (one a pool)
-- ARGV  cursor |
-- REPLY noshow
--       ok epoch version cursor names pools (place kind holder quantity left_ms epoch fence booking payment)...
--                                                       kind: claim, sale, unswept, owner, foreign or surplus
--                                                       cursor 0: the walk has ended, or the show's pools are others
--                                                       pools: of each its three counts, -1 where they are lost;
--                                                       place 0: of no pool that is named; of surplus, holder is a name
local FIXED_KEYS = 2
local meta_key, pools_key = KEYS[1], KEYS[2]
-- @include clock
-- @include integer

local facts = redis.call('HMGET', meta_key, 'status', 'epoch', 'version')
if not facts[1] then
  return {'noshow'}
end
local named = redis.call('HMGET', pools_key, 'names')[1] or ''
local names, place_of, prefix = {}, {}, #pools_key - #'pools' + #'pool-due:' + 1
for place = 1, #KEYS - FIXED_KEYS do
  names[place] = string.sub(KEYS[FIXED_KEYS + place], prefix)
  place_of[names[place]] = place
end
local pools = {}
local reply = {'ok', tonumber(facts[2]), tonumber(facts[3]), '0', named, pools}
if table.concat(names, '\n') ~= named then
  return reply
end
local function read(kind, name, ...)
  return redis.call('HMGET', pools_key, table.concat({kind, name, ...}, '\n'))[1] or ''
end
for place, name in ipairs(names) do
  local counts = read('c', name)
  local capacity, held, sold = string.match(counts, '^(%d+) (%d+) (%d+)$')
  local at = 3 * place
  pools[at - 2], pools[at - 1], pools[at] = tonumber(capacity or '-1'), tonumber(held or '-1'), tonumber(sold or '-1')
end

local function tell(place, kind, holder, quantity, left, hold_epoch, fence, booking, payment)
  local at = #reply
  reply[at + 1], reply[at + 2], reply[at + 3] = place, kind, holder
  reply[at + 4], reply[at + 5] = tonumber(quantity or '0'), left or -1
  reply[at + 6], reply[at + 7] = tonumber(hold_epoch or '0'), tonumber(fence or '0')
  reply[at + 8], reply[at + 9] = booking or '', payment or ''
end

-- Fields and their parts are told in `pools`; each is compared with what is kept of it elsewhere.
local compare = {c = function() end}

local CLAIM = '^[^\n]*\n(%d+)\n(%d+)\n(%d+)\n(%d+)\n%d+p?r?$'
-- What is being regained stands apart, with more in its field than the holder: see claims.
function compare.h(place, slot, claim)
  local holder = string.match(slot, '^[^\n]*')
  local quantity, claim_epoch, fence, deadline = string.match(claim, CLAIM)
  if not quantity then
    tell(place, 'foreign', holder)
    return
  end
  deadline = tonumber(deadline)
  tell(place, 'claim', holder, quantity, math.max(deadline - now, -1), claim_epoch, fence)
  local score = tonumber(redis.call('ZMSCORE', KEYS[FIXED_KEYS + place], slot)[1] or '')
  if not (score and score <= deadline) then
    tell(place, 'unswept', holder, quantity)
  end
end

local SALE = '^([^\n]*)\n([^\n]*)\n(%d+)\n%d+\n([^\n]*)\n([^\n]*)$'
function compare.s(place, key, sale)
  local token, holder, quantity, booking, payment = string.match(sale, SALE)
  local sale_epoch, fence = string.match(key, '^(%d+)%-(%d+)$')
  if not (token and fence) then
    tell(place, 'foreign', holder or '')
    return
  end
  tell(place, 'sale', holder, quantity, -1, sale_epoch, fence, booking, payment)
  if token ~= '' and read('t', names[place], token, holder) ~= key then -- no token: the ledger knows whose it is
    tell(place, 'owner', holder, quantity)
  end
end

function compare.t(place, owner, key)
  local holder = string.match(owner, '\n([^\n]*)$')
  local sale = read('s', names[place], key)
  if not holder or string.sub(sale, 1, #owner + 1) ~= owner .. '\n' then
    tell(place, 'owner', holder or '')
  end
end

local cursor, found = unpack(redis.call('HSCAN', pools_key, ARGV[1], 'COUNT', '250'))
reply[4] = cursor
for index = 1, #found, 2 do
  local field, value = found[index], found[index + 1]
  if field ~= 'names' and value ~= '' then -- a field without content is one that is gone
    local kind, name, rest = string.match(field, '^([chst])\n([^\n]*)\n?(.*)$')
    if not kind then
      tell(0, 'foreign', '')
    elseif not place_of[name] then
      tell(0, 'surplus', name)
    else
      compare[kind](place_of[name], rest, value)
    end
  end
end
return reply
