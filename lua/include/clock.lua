-- The one clock: Redis TIME in whole milliseconds, read once a script. Expired means now > deadline, everywhere.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
