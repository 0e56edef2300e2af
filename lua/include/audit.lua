-- The audit stream: who did what to which seat, and why. Append-only, one entry a seat; it goes with the show.
-- An exhausted stream refuses every further entry: found out before the first write.
local LAST_AUDIT = '18446744073709551615-18446744073709551615'
local function check_audit()
  if #redis.call('XRANGE', audit_key, LAST_AUDIT, LAST_AUDIT, 'COUNT', '1') > 0 then
    error('SEATLOCK the audit stream has used up its ids')
  end
end

-- Decided and not yet written, part by part in one flat list.
local audited = {}
local function audit(what, by, reason, seat, lock)
  local at = #audited
  audited[at + 1], audited[at + 2], audited[at + 3], audited[at + 4] = what, by, reason, seat
  audited[at + 5], audited[at + 6], audited[at + 7] = lock.holder, lock.epoch, numeral(lock.fence)
end

local function write_audit()
  local at = digits(now)
  for first = 1, #audited, 7 do
    local what, by, reason, seat, holder, lock_epoch, fence = unpack(audited, first, first + 6)
    redis.call('XADD', audit_key, '*', 'what', what, 'by', by, 'reason', reason, 'seat', seat, 'holder', holder,
      'epoch', lock_epoch, 'fence', fence, 'at', at)
  end
end
