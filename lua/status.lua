-- status: opens, pauses or closes the sale. Says so in the change stream, under the empty field.
--
-- KEYS  meta changes |
-- ARGV  status |                                        open, paused or closed
-- REPLY noshow
--       ok before
local meta_key, changes_key = KEYS[1], KEYS[2]
-- @include show

if ARGV[1] ~= 'open' and ARGV[1] ~= 'paused' and ARGV[1] ~= 'closed' then
  error('SEATLOCK a sale is open, paused or closed')
end
check_changes()
if status ~= ARGV[1] then
  next_version()
  publish({'', ARGV[1]})
  redis.call('HSET', meta_key, 'status', ARGV[1]) -- last: asking again does what is left to do
end
return {'ok', status}
