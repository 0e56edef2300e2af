-- The value of a lock: fields parted by newlines, which no id may contain.
--   held            h token holder epoch fence deadline_ms limit_ms mark
--   pinned or sold  p|s token holder epoch fence since_ms booking payment
-- limit_ms is the maximum lifetime: no extension goes beyond it, and the beginning of a payment by some minutes. The
-- mark stands right behind it: a p once a payment has begun, an r once the hold was given back to a request of its
-- holder's that did not bring the token, so that more than one caller knows of it.
local HELD = '^h\n([^\n]*)\n([^\n]*)\n(%d+)\n(%d+)\n(%d+)\n(%d+)(p?r?)$'
local PAYING = 'p'

local function is_paying(lock)
  return string.byte(lock.mark) == 112 -- p
end

local function is_resumed(lock)
  return string.byte(lock.mark, -1) == 114 -- r
end

local function paying_mark(lock)
  return is_resumed(lock) and 'pr' or PAYING
end

local SOLD = '^([ps])\n([^\n]*)\n([^\n]*)\n(%d+)\n(%d+)\n(%d+)\n([^\n]*)\n([^\n]*)$'

-- The lock as a table; nil for none. `past` marks a hold whose time has passed (Redis removes it a moment later).
-- Content that is no lock of ours counts as held by nobody one knows, so that it is never overwritten.
local function parse_lock(value)
  if not value then
    return nil
  end
  local token, holder, lock_epoch, fence, deadline, limit, mark = string.match(value, HELD)
  if token then
    deadline = tonumber(deadline)
    return {state = 'h', token = token, holder = holder, epoch = lock_epoch, fence = tonumber(fence),
            deadline = deadline, limit = tonumber(limit), mark = mark, past = now > deadline}
  end
  local state, since, booking, payment
  state, token, holder, lock_epoch, fence, since, booking, payment = string.match(value, SOLD)
  if state then
    return {state = state, token = token, holder = holder, epoch = lock_epoch, fence = tonumber(fence),
            since = tonumber(since), booking = booking, payment = payment}
  end
  return {state = 'h', foreign = true, deadline = now}
end

-- Who owns comes as one argument, as it stands in the lock: the token, a newline, the holder.
local TOKEN_LENGTH = 32
local function token_of(owner)
  return string.sub(owner, 1, TOKEN_LENGTH)
end

local function holder_of(owner)
  return string.sub(owner, TOKEN_LENGTH + 2)
end

-- What every lock of a held seat begins with if it is this owner's: whole token and holder, never a part.
local function held_by(owner)
  return 'h\n' .. owner .. '\n'
end

local function held_lock(head, lock_epoch, fence, deadline, limit, mark)
  return head .. lock_epoch .. '\n' .. numeral(fence) .. '\n' .. digits(deadline) .. '\n' .. digits(limit) .. mark
end

local function resumed_lock(text)
  return text .. 'r'
end

local function booked_lock(letter, owner, lock_epoch, fence, since, booking, payment)
  return letter .. '\n' .. owner .. '\n' .. lock_epoch .. '\n' .. numeral(fence) .. '\n' ..
    digits(since) .. '\n' .. booking .. '\n' .. payment
end
