-- A show that requires admission takes new holds only from those who have a pass in time: the waiting room's own sorted
-- set is asked, holder -> deadline. Whoever is not in it, or was until a moment ago, has none: expired means
-- now > deadline. Other shows pay one field of their facts.
local requires_admission = facts[9] == '1'
local admitted = {} -- by holder, as far as the batch has asked
local function is_admitted(holder)
  if admitted[holder] == nil then
    local deadline = redis.call('ZSCORE', passes_key, holder)
    admitted[holder] = deadline and tonumber(deadline) >= now or false
  end
  return admitted[holder]
end
