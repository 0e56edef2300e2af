-- The audit stream: who did what to which seat or claim, and why. Append-only, one entry each; it goes with the show.
-- An exhausted stream refuses every further entry: found out before the first write.
local LAST_AUDIT = '18446744073709551615-18446744073709551615'
local function check_audit()
  if #redis.call('XRANGE', audit_key, LAST_AUDIT, LAST_AUDIT, 'COUNT', '1') > 0 then
    error('SEATLOCK the audit stream has used up its ids')
  end
end

-- Decided and not yet written; behind who holds it comes what it was: a seat, or a pool and a quantity.
local audited = {}
local function audit(what, by, reason, holder, of, ...)
  audited[#audited + 1] = {'*', 'what', what, 'by', by, 'reason', reason, 'holder', holder, 'epoch', of.epoch,
                           'fence', numeral(of.fence), 'at', digits(now), ...}
end

local function write_audit()
  for _, entry in ipairs(audited) do
    redis.call('XADD', audit_key, unpack(entry))
  end
end
