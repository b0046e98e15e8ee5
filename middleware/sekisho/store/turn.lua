-- Of all workers one at a time has the turn to do what one worker does for all.

-- Whether the caller has it now. `turn`: its key; `time`: of TIME; `turn_ms`: how long a turn lasts.
-- A turn that began later than now was taken before the clock was set back. Its key expires by that clock: no worker
-- would have a turn until it had caught up.
local function takes_turn(turn, time, turn_ms)
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local began = tonumber(redis.call('GET', turn) or '0')
  if began <= now_ms and now_ms - began < turn_ms then return false end
  redis.call('SET', turn, string.format('%.0f', now_ms), 'PX', turn_ms)
  return true
end

