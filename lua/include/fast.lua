-- @include show
-- What is sold here is decided here: on a show with strict checkout the ledger decides, and only pin and finalise sell.
if facts[10] == 'strict' then
  return {'strict'}
end
