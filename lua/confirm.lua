-- confirm: turns N holds into bookings; the outbox entry is written by the same script that marks the seats sold.
--
-- KEYS  meta seats due changes outbox passes grants queue | lock (one a seat)   then pools, then holder, with limits
-- ARGV  requests | owner booking payment token_hash (deadline_ms seats)
-- REPLY noshow
--       strict                                          the ledger decides what is sold; nothing was done
--       limits                                          there are limits, and no lists came; nothing was done
--       ok, then for each request one of
--         booked epoch fence at_ms
--         again epoch fence at_ms booking               confirmed before, with the same payment
--         conflict epoch fence at_ms booking payment (place quantity)...
--                                                       confirmed before, with another payment, other seats or other
--                                                       quantities: the booking's own are at these places
--         lost (place reason)...
local FIXED_KEYS = 8
local meta_key, seats_key, due_key, changes_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local outbox_key, passes_key, grants_key, queue_key = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
-- @include clock
-- @include terms
-- @include fast
-- @include lock
-- @include read
local LETTER, FACT = 's', 'confirmed'
-- @include sale

local BOUNDS = {0, 2 ^ 49, 0, 512}
local reply = {'ok'}
local argument, place = 2, 0
local requests = integer(ARGV[1], 1, 512)
if #ARGV > 5 * requests + 1 then
  read_extras(5 * requests + 2, requests)
end
for request = 1, requests do
  local terms = terms_of(ARGV[argument + 4], BOUNDS)
  if terms[2] == 0 then
    check_wants(request)
  end
  reply[request + 1] = confirm_hold(ARGV[argument], ARGV[argument + 1], ARGV[argument + 2], ARGV[argument + 3],
    terms[1], place, terms[2], wants[request])
  argument, place = argument + 5, place + terms[2]
end

write_sales()
return reply
