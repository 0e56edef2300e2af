-- @include show
-- Where the ledger decides what is sold, and a script does what it said.
if facts[10] ~= 'strict' then
  return {'fast'}
end
