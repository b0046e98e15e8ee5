-- Once a second from every worker: it adds its strangers' outcomes, and hears of the state. The first worker in each
-- second takes all outcomes, to advance the state. Where there are none, and no posture is raised, nothing is written.
--
-- KEYS     state (hash: number, text), outcomes (list), turn (string), day (string: a bit for each account that
--          succeeded today), proofs (hash: sealed, proved, at). All expire.
-- ARGV     the number of the state that the worker knows, 1 if that state is raised, how many sealed attempts have
--          become half a minute old and how many proofs were shown at the worker since it last came, then pairs of an
--          outcome and the bit of its account.
-- Returns  now in seconds as a string, the number of the state, its text (empty where the worker knows it), the
--          outcomes of all workers (false where another worker has the turn, or where there is nothing to do), and how
--          many sealed attempts and proofs all workers counted lately: of both, half is forgotten every 30 seconds.
-- Cost     O(outcomes), and at most 4,096 of them are kept.

local call = redis.call
local state, outcomes, turn, day, proofs = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local TURN_MS, HALF_S = 900, 30

local time = call('TIME')

for i = 5, #ARGV, 2 do
  local outcome, told = ARGV[i], string.sub(ARGV[i], 1, 1)
  local counts = true
  -- One success an account and day: an attacker's own accounts would hide the failures of all others.
  if (told == 's' or told == 'p') and call('SETBIT', day, ARGV[i + 1], 1) == 1 then
    counts = told == 'p'
    outcome = 'w' .. string.sub(outcome, 2)
  end
  if counts then call('RPUSH', outcomes, outcome) end
end
if #ARGV > 4 then
  call('LTRIM', outcomes, -4096, -1)
  call('PEXPIRE', outcomes, 60000)
  call('PEXPIRE', day, 2 * 86400000)
end

local sealed, proved, now = tonumber(ARGV[3]), tonumber(ARGV[4]), time[1] + time[2] / 1000000
local counts = sealed + proved > 0
local before = tonumber(call('HGET', proofs, 'at') or nil)
if before then
  local left = 0.5 ^ (math.max(0, now - before) / HALF_S)
  sealed = sealed + left * (tonumber(call('HGET', proofs, 'sealed') or nil) or 0)
  proved = proved + left * (tonumber(call('HGET', proofs, 'proved') or nil) or 0)
end
if counts then
  call('HSET', proofs, 'at', now, 'sealed', sealed, 'proved', proved)
  call('PEXPIRE', proofs, 600000)
end

local number = call('HGET', state, 'number') or '0'
local text = ''
if number ~= ARGV[1] then text = call('HGET', state, 'text') or '' end

local taken = false
if (ARGV[2] == '1' or call('EXISTS', outcomes) == 1) and takes_turn(turn, time, TURN_MS) then
  taken = call('LRANGE', outcomes, 0, -1)
  call('DEL', outcomes)
end
return {time[1], number, text, taken, tostring(sealed), tostring(proved)}
