-- probe: tries every command of the scripts, and those that are sent without one, on keys of its own, so that a missing
-- permission shows before the sale and not half-way through a hold.
--
-- KEYS  text hash zset stream renamed |
-- ARGV  |
-- REPLY then for each command that failed: command error
local text, hash, zset, stream, renamed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
redis.pcall('DEL', text, hash, zset, stream, renamed) -- what a probe left that was cut off; a failure shows below
local trials = {
  {'TIME'}, {'SET', text, '1', 'PXAT', '9999999999999', 'NX'}, {'MSET', text, '1'}, {'MGET', text}, {'GET', text},
  {'SETRANGE', text, '0', '1'}, {'SETBIT', text, '0', '1'}, {'GETBIT', text, '0'}, {'GETRANGE', text, '0', '1'},
  {'BITPOS', text, '1'}, {'STRLEN', text},
  {'EXISTS', text}, {'PTTL', text}, {'HSET', hash, 'field', '1'}, {'HMGET', hash, 'field'}, {'HGET', hash, 'field'},
  {'HLEN', hash},
  {'ZADD', zset, '1', 'member'}, {'ZRANGEBYSCORE', zset, '0', '1'}, {'ZMSCORE', zset, 'member'}, {'ZCARD', zset},
  {'ZRANGE', zset, '0', '1'},
  {'ZSCORE', zset, 'member'}, {'ZRANK', zset, 'member'}, {'ZCOUNT', zset, '0', '1'},
  {'ZREVRANGEBYSCORE', zset, '1', '0'}, {'ZSCAN', zset, '0', 'COUNT', '1'}, {'ZREM', zset, 'member'},
  {'XADD', stream, 'MAXLEN', '~', '9', '1-1', 'field', '1'}, {'XRANGE', stream, '-', '+', 'COUNT', '1'},
  {'XLEN', stream}, {'XGROUP', 'CREATE', stream, 'relay', '0', 'MKSTREAM'},
  {'XREADGROUP', 'GROUP', 'relay', 'relay', 'COUNT', '1', 'STREAMS', stream, '>'},
  {'XAUTOCLAIM', stream, 'relay', 'relay', '0', '0-0', 'COUNT', '1', 'JUSTID'}, {'XACK', stream, 'relay', '1-1'},
  {'XDEL', stream, '1-1'}, {'RENAME', hash, renamed},
  {'HGETALL', renamed}, {'HSCAN', renamed, '0', 'COUNT', '1'}, {'PEXPIREAT', renamed, '9999999999999'},
  {'PERSIST', renamed}, {'HDEL', renamed, 'field'},
  {'DEL', text}, {'UNLINK', hash, zset, stream, renamed},
}
local failed = {}
for _, trial in ipairs(trials) do
  local outcome = redis.pcall(unpack(trial))
  if type(outcome) == 'table' and outcome.err then
    failed[#failed + 1] = trial[1]
    failed[#failed + 1] = outcome.err
  end
end
return failed
