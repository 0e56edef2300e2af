-- server: whether the server behind a show can keep locks at all.
--
-- KEYS  meta |
-- ARGV  |
-- REPLY then policy role                                nothing for what the server does not tell
local function told(section, field)
  local info = redis.pcall('INFO', section)
  return type(info) == 'string' and string.match(info, field .. ':([%w-]+)') or ''
end
return {told('memory', 'maxmemory_policy'), told('replication', 'role')}
