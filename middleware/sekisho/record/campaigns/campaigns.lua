-- Every 15 seconds from every worker: it adds the attempts that it noted, and hears of the campaigns. The first worker
-- in each turn takes all attempts that are kept, to look for campaigns. Where there are none, nothing is written.
--
-- KEYS     state (hash: number, text, seen, refused), attempts (list), turn (string), refused (list). All expire.
-- ARGV     the number of the state that the worker knows, how long a turn lasts in milliseconds, then attempts.
-- Returns  now in microseconds as a string, the number of the state, its text (empty where the worker knows it), how
--          many attempts were noted so far, those that are kept (false where another worker has the turn), how many of
--          all were refused, and those of them that are kept.
-- Cost     O(attempts). At most 4,000 of them are kept, and 2,000 that were refused: these cost a bot nothing, and must
--          not push out the others.

local call = redis.call
local state, attempts, turn, refused = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local REFUSED = 1  -- the second byte of an attempt says what became of it
local turn_ms = tonumber(ARGV[2])

local now = call('TIME')

if #ARGV > 2 then
  local times = 0
  for i = 3, #ARGV do
    if string.byte(ARGV[i], 2) == REFUSED then
      call('RPUSH', refused, ARGV[i])
      times = times + 1
    else
      call('RPUSH', attempts, ARGV[i])
    end
  end
  call('LTRIM', attempts, -4000, -1)
  call('LTRIM', refused, -2000, -1)
  call('PEXPIRE', attempts, 3600000)
  call('PEXPIRE', refused, 3600000)
  call('HINCRBY', state, 'seen', #ARGV - 2)
  call('HINCRBY', state, 'refused', times)
  call('PEXPIRE', state, 2 * 86400000)
end

local number = call('HGET', state, 'number') or '0'
local text = ''
if number ~= ARGV[1] then text = call('HGET', state, 'text') or '' end

local taken, others = false, {}
if (call('EXISTS', attempts, refused) > 0 or number ~= '0') and takes_turn(turn, now, turn_ms) then
  taken, others = call('LRANGE', attempts, 0, -1), call('LRANGE', refused, 0, -1)
end
local seen, times = call('HGET', state, 'seen') or '0', call('HGET', state, 'refused') or '0'
return {string.format('%d%06d', now[1], now[2]), number, text, seen, taken, times, others}
