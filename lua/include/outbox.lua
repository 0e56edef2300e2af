-- The outbox: one entry a booking confirmed, pinned, cancelled, or recorded (the ledger knows already), never with the
-- token in it: its hash, which is empty where the script knows no token, since one is cancelled or recorded.
local has_outbox = facts[6] == '1'

-- An exhausted stream refuses every further entry: found out before the first write.
local LAST_ID = '18446744073709551615-18446744073709551615'
local function check_outbox()
  if has_outbox and #redis.call('XRANGE', outbox_key, LAST_ID, LAST_ID, 'COUNT', '1') > 0 then
    error('SEATLOCK the outbox has used up its ids')
  end
end

-- Facts decided and not yet written, part by part in one flat list: a table for each would cost as much as its XADD.
local facts_noted, pools_noted = {}, {}
local function note(kind, booking, holder, seats, payment, fact_epoch, fence, token_hash, pools)
  local at = #facts_noted
  facts_noted[at + 1], facts_noted[at + 2], facts_noted[at + 3], facts_noted[at + 4] = kind, booking, holder, seats
  facts_noted[at + 5], facts_noted[at + 6], facts_noted[at + 7] = payment, fact_epoch, numeral(fence)
  facts_noted[at + 8], pools_noted[at + 1] = token_hash, pools
end

local function write_outbox()
  if has_outbox then
    local at = digits(now)
    for first = 1, #facts_noted, 8 do
      local kind, booking, holder, seats, payment, fact_epoch, fence, hash = unpack(facts_noted, first, first + 7)
      local pools = pools_noted[first]
      if pools then
        redis.call('XADD', outbox_key, '*', 'kind', kind, 'booking', booking, 'holder', holder, 'seats', seats,
          'payment', payment, 'epoch', fact_epoch, 'fence', fence, 'at', at, 'token_hash', hash, 'pools', pools)
      else
        redis.call('XADD', outbox_key, '*', 'kind', kind, 'booking', booking, 'holder', holder, 'seats', seats,
          'payment', payment, 'epoch', fact_epoch, 'fence', fence, 'at', at, 'token_hash', hash)
      end
    end
  end
end
