-- The outbox: one entry a booking confirmed, pinned or cancelled, never with the token in it.
local has_outbox = facts[6] == '1'

-- An exhausted stream refuses every further entry: found out before the first write.
local LAST_ID = '18446744073709551615-18446744073709551615'
local function check_outbox()
  if has_outbox and #redis.call('XRANGE', outbox_key, LAST_ID, LAST_ID, 'COUNT', '1') > 0 then
    error('SEATLOCK the outbox has used up its ids')
  end
end

-- Facts decided and not yet written, part by part in one flat list: a table for each would cost as much as its XADD.
local facts_noted, more_noted = {}, {}
local function note(kind, booking, holder, seats, payment, fact_epoch, fence, token_hash, pools)
  local at = #facts_noted
  if token_hash or pools then
    local more = {}
    if token_hash then
      more[1], more[2] = 'token_hash', token_hash
    end
    if pools then
      more[#more + 1], more[#more + 2] = 'pools', pools
    end
    more_noted[at + 1] = more
  end
  facts_noted[at + 1], facts_noted[at + 2], facts_noted[at + 3], facts_noted[at + 4] = kind, booking, holder, seats
  facts_noted[at + 5], facts_noted[at + 6], facts_noted[at + 7] = payment, fact_epoch, numeral(fence)
end

local function write_outbox()
  if has_outbox then
    local at = digits(now)
    for first = 1, #facts_noted, 7 do
      local kind, booking, holder, seats, payment, fact_epoch, fence = unpack(facts_noted, first, first + 6)
      local more = more_noted[first]
      if more then
        redis.call('XADD', outbox_key, '*', 'kind', kind, 'booking', booking, 'holder', holder, 'seats', seats,
          'payment', payment, 'epoch', fact_epoch, 'fence', fence, 'at', at, unpack(more))
      else
        redis.call('XADD', outbox_key, '*', 'kind', kind, 'booking', booking, 'holder', holder, 'seats', seats,
          'payment', payment, 'epoch', fact_epoch, 'fence', fence, 'at', at)
      end
    end
  end
end
