-- Places that go are no longer present: otherwise admissions would look at them, however many have gone.
local silenced = {}
local function silence(place)
  for _, key in ipairs(here_keys) do
    if redis.call('GETBIT', key, place) == 1 then
      silenced[#silenced + 1] = {key, place}
    end
  end
end

local function be_silent()
  for _, bit in ipairs(silenced) do
    redis.call('SETBIT', bit[1], bit[2], '0')
  end
end
