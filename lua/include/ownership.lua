-- Why a seat is not the caller's: the word that HoldLost gives for it. `deadline` is the one the caller was told.
local function loss(lock, mirror, token, holder, deadline)
  local state = mirror and string.sub(mirror, 1, 1)
  if lock and lock.state ~= 'h' or not lock and (state == 's' or state == 'p') then
    return 'sold'
  elseif lock and lock.past and lock.token == token and lock.holder == holder then
    return 'expired'
  elseif lock and not lock.past then
    return 'taken'
  elseif now > deadline then
    return 'expired'
  elseif mirror and deadline_of(mirror) == deadline then
    return 'lost'
  end
  return 'released'
end
