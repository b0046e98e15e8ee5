-- The yardstick: GCRA over three keys an attempt and nothing else, written as plainly and as fast as Redis allows.
-- It remembers no tag, knows no lane, has one limit a key, and each attempt of a batch sees its predecessors.
--
-- KEYS     three per attempt: address, account, device
-- ARGV     for each of the three: interval and period in microseconds
-- Returns  for each attempt the longest wait in microseconds, 0 where it was admitted and charged
-- Cost     one MGET for the batch, three SET for each admitted attempt

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stored, seen, waits = redis.call('MGET', unpack(KEYS)), {}, {}

for first = 1, #KEYS, 3 do
  local wait, tats = 0, {}
  for i = 0, 2 do
    local tat = seen[KEYS[first + i]] or tonumber(stored[first + i]) or 0
    tats[i] = math.max(tat, now) + tonumber(ARGV[1 + 2 * i])
    wait = math.max(wait, tats[i] - now - tonumber(ARGV[2 + 2 * i]))
  end
  if wait == 0 then
    for i = 0, 2 do
      seen[KEYS[first + i]] = tats[i]
      redis.call('SET', KEYS[first + i], string.format('%.0f', tats[i]), 'PX', math.ceil((tats[i] - now) / 1000))
    end
  end
  waits[#waits + 1] = wait
end
return waits
