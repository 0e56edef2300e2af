-- @include clock
-- @include integer
-- @include stream
-- @include lock
-- @include state
-- @include read
-- Decides what warming does to each seat: shared by the script that checks a whole plan and the one that loads it.
local LETTERS = {available = 'f', blocked = 'b', sold = 's'}

if redis.call('EXISTS', retired_key) == 1 then
  return {'retiring'}
end
redis.call('ZCARD', due_key) -- type-checked before the first write
local facts = redis.call('HMGET', meta_key, 'version', 'epoch', 'changes_cap')
local epoch = facts[2] or '1'
local version, changes_cap -- of a show that is there: the next version
if facts[1] then
  version, changes_cap = integer(facts[1], 0, 2 ^ 49) + 1, checked_cap(facts[3])
  check_stream(epoch, version)
end

local changes, imported, unblocked, conflicts, added, kept = {}, {}, {}, {}, 0, 0
for place = 1, #names do
  local category, wanted = ARGV[2 * place - 1], LETTERS[ARGV[2 * place]]
  if not wanted or not string.find(category, '^%d*$') then
    error('SEATLOCK a seat to warm has no usable category or status')
  end
  local mirror, lock = mirrors[place], parse_lock(locks[place])
  local suffix = mirror and string.match(mirror, '@%d+') or '' -- a plan knows nothing of channels
  local kind = category .. suffix
  local state = state_of(mirror, lock)
  local target
  local imported_before = lock and lock.state == 's' and lock.token == ''
  if imported_before and wanted == 's' and string.sub(mirror or '', 1, 1) ~= 's' then
    target = 's' .. kind -- an earlier warm was cut off between lock and mirror
  elseif state == 'h' or state == 'p' or state == 's' then
    local same_category = mirror and category_of(mirror) == category
    if not same_category or not (wanted == 'f' or wanted == state) then
      conflicts[#conflicts + 1] = place
      conflicts[#conflicts + 1] = STATES[state]
    end
  elseif state == 'b' and wanted == 'f' then
    target = 'b' .. kind
  elseif wanted == 'f' then
    target = free_field('f' .. kind)
  else
    target = wanted .. kind
  end
  if target and target ~= mirror then
    changes[#changes + 1] = names[place]
    changes[#changes + 1] = target
    added = added + (mirror and 0 or 1)
    if wanted == 's' then
      -- Sold elsewhere: a lock that no token opens, so that lock and mirror agree.
      imported[#imported + 1] = KEYS[FIXED_KEYS + place]
      imported[#imported + 1] = booked_lock('s', '\n', epoch, 0, now, '', '')
      if string.byte(mirror or '') == BLOCKED then
        unblocked[#unblocked + 1] = names[place]
      end
    end
  else
    kept = kept + 1
  end
end
