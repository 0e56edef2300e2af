-- The outbox: one entry a booking confirmed or cancelled, never with the token in it.
local has_outbox = facts[6] == '1'

-- An exhausted stream refuses every further entry: found out before the first write.
local LAST_ID = '18446744073709551615-18446744073709551615'
local function check_outbox()
  if has_outbox and #redis.call('XRANGE', outbox_key, LAST_ID, LAST_ID, 'COUNT', '1') > 0 then
    error('SEATLOCK the outbox has used up its ids')
  end
end

local function add_to_outbox(entries)
  if has_outbox then
    for _, entry in ipairs(entries) do
      redis.call('XADD', outbox_key, '*', 'kind', entry[1], 'booking', entry[2], 'holder', entry[3], 'seats', entry[4],
        'payment', entry[5], 'epoch', entry[6], 'fence', entry[7], 'at', digits(now))
    end
  end
end
