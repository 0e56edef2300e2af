-- claimed: what a holder has on hold of the pools of a show.
--
-- KEYS  meta pools |
-- ARGV  holder |
-- REPLY noshow
--       ok (pool quantity epoch fence left_ms)...
local meta_key, pools_key = KEYS[1], KEYS[2]
-- @include clock

if not redis.call('HMGET', meta_key, 'status')[1] then
  return {'noshow'}
end
local reply, holder, CLAIM = {'ok'}, ARGV[1], 'h' -- a kind of fields: see pools
for pool in string.gmatch(redis.call('HMGET', pools_key, 'names')[1] or '', '[^\n]+') do
  local claim = redis.call('HMGET', pools_key, table.concat({CLAIM, pool, holder}, '\n'))[1] or ''
  local quantity, epoch, fence, deadline = string.match(claim, '^[^\n]*\n(%d+)\n(%d+)\n(%d+)\n(%d+)\n')
  if deadline and now <= tonumber(deadline) then
    local at = #reply
    reply[at + 1], reply[at + 2], reply[at + 3] = pool, tonumber(quantity), tonumber(epoch)
    reply[at + 4], reply[at + 5] = tonumber(fence), tonumber(deadline) - now
  end
end
return reply
