-- Every 15 seconds from every worker: it adds the attempts that it noted, and hears of the campaigns. The first worker
-- in each turn takes all attempts that are kept, to look for campaigns. Where there are none, nothing is written.
--
-- KEYS     state (hash: number, text, seen), attempts (list), turn (string). All expire.
-- ARGV     the number of the state that the worker knows, how long a turn lasts in milliseconds, then attempts.
-- Returns  now in microseconds as a string, the number of the state, its text (empty where the worker knows it), how
--          many attempts were noted so far, and those that are kept (false where another worker has the turn).
-- Cost     O(attempts), and at most 6,000 of them are kept.

local call = redis.call
local state, attempts, turn = KEYS[1], KEYS[2], KEYS[3]
local turn_ms = tonumber(ARGV[2])

local now = call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)

-- A turn that began later than now was taken before the clock was set back. Its key expires by that clock: no worker
-- would have a turn until it had caught up.
local function takes_turn()
  local began = tonumber(call('GET', turn) or '0')
  if began <= now_ms and now_ms - began < turn_ms then return false end
  call('SET', turn, string.format('%.0f', now_ms), 'PX', turn_ms)
  return true
end

if #ARGV > 2 then
  for i = 3, #ARGV do call('RPUSH', attempts, ARGV[i]) end
  call('LTRIM', attempts, -6000, -1)
  call('PEXPIRE', attempts, 3600000)
  call('HINCRBY', state, 'seen', #ARGV - 2)
  call('PEXPIRE', state, 2 * 86400000)
end

local number = call('HGET', state, 'number') or '0'
local text = ''
if number ~= ARGV[1] then text = call('HGET', state, 'text') or '' end

local taken = false
if (call('EXISTS', attempts) == 1 or number ~= '0') and takes_turn() then
  taken = call('LRANGE', attempts, 0, -1)
end
return {string.format('%d%06d', now[1], now[2]), number, text, call('HGET', state, 'seen') or '0', taken}
