-- @include claims
-- Regaining quantities of pools for a payment that comes late. They come out of what is left of the pool; what the
-- holder has claimed anew under another token is another hold, and stays. What the old token itself has there counts.
--
-- What is regained is held before it is sold, as seats are, and apart from the holder's own claim: see `claims.slot`.
-- So all of it is decided in two stores: `early` sees nothing of what this batch sells, and is written first.
local early
local DUE = 128 -- claims that one batch takes back a pool, as in acquire

local function in_both(want, act)
  early = early or open_pools(KEYS[last_lock + 1])
  act(early, early.pool(want.pool.due))
  return act(store, want.pool)
end

-- How many an owner has in this slot; a claim whose time has passed ends here.
local function claimed(in_store, pool, slot, token)
  local claim = in_store.claim(pool, slot)
  if claim and claim.past then
    in_store.end_claim(pool, slot, claim)
  elseif claim and claim.token == token then
    return claim.quantity, claim
  end
  return 0
end

-- How many the old and the new owner have of a pool, and the claim of the old one.
local function claimed_by(in_store, pool, owner, new_owner)
  local holder = holder_of(owner)
  local has, claim = claimed(in_store, pool, holder, token_of(owner))
  return has, claimed(in_store, pool, claims.apart_from(holder, token_of(new_owner)), token_of(new_owner)), claim
end

local function falls_short(want, owner, new_owner)
  return in_both(want, function(in_store, pool)
    local has, apart = claimed_by(in_store, pool, owner, new_owner)
    return in_store.left(pool) < want.quantity - has - apart
  end)
end

-- Why a want that has run out of time cannot be had; nothing where it can.
local function in_its_way(want, owner, new_owner, told)
  if now <= told then
    return 'released' -- in time, and claimed anew with the same token: that has run out
  elseif not want.pool.known then
    return 'lost'
  elseif falls_short(want, owner, new_owner) then
    in_both(want, function(in_store, pool)
      in_store.sweep(pool, DUE)
    end)
    return falls_short(want, owner, new_owner) and (want.pool.more_due and 'more' or 'taken') or nil
  end
end

-- Whether all that is lost of pools has run out of time and can be had; else the answer says what cannot. The second
-- value: whether more has to be taken back first.
local function pools_there(lost, wanted, owner, new_owner, count, told)
  local there, more = true, false
  for at = 2, #lost, 2 do
    local want = wanted[lost[at] - count]
    if want and lost[at + 1] == 'expired' then
      local reason = in_its_way(want, owner, new_owner, told)
      more = more or reason == 'more'
      lost[at + 1] = reason ~= 'more' and reason or 'expired'
    end
    there = there and not (want and lost[at + 1] ~= 'expired')
  end
  return there, more
end

-- How many come out of the claim that the old owner still has.
local function moving(want, has, apart)
  return math.min(has, math.max(want.quantity - apart, 0))
end

local function moved_of(wanted, owner, new_owner)
  local moved = {}
  for index, want in ipairs(wanted or {}) do
    moved[index] = in_both(want, function(in_store, pool)
      local has, apart = claimed_by(in_store, pool, owner, new_owner)
      return moving(want, has, apart)
    end)
  end
  return moved
end

-- Holds what is wanted of pools for the new owner, out of what the old one still has, and of what is left.
local function hold_apart(wanted, owner, new_owner, fence, deadline)
  local token, holder = token_of(new_owner), holder_of(owner)
  for _, want in ipairs(wanted) do
    in_both(want, function(in_store, pool)
      local has, apart, claim = claimed_by(in_store, pool, owner, new_owner)
      local moved = moving(want, has, apart)
      if moved > 0 then
        claim.quantity = has - moved
        in_store.put_claim(pool, holder, claim)
      end
      local quantity = math.max(apart, want.quantity)
      in_store.count(pool, quantity - apart - moved, 0)
      in_store.put_claim(pool, claims.apart_from(holder, token), {token = token, quantity = quantity, epoch = epoch,
                                                                  fence = fence, deadline = deadline, limit = deadline,
                                                                  mark = ''})
    end)
  end
end
