-- Publishes refused addresses, and notes where known devices logged in.
-- KEYS: entries (sorted set), the pause, the filters of known addresses of today and of yesterday
-- ARGV: now in ms; the latest end that an entry may have; 1 if the feed is to be empty; the most entries; the number of known addresses, each with its four
--       bits and the members of its entries (a number, then each); then each refused address: four bits, member, end
-- Returns the number of entries. Costs as many steps as there are arguments; at most once in half a second per worker.
local now, latest, empties, most, known, at = tonumber(ARGV[1]), ARGV[2], ARGV[3] == '1', tonumber(ARGV[4]), ARGV[5], 6
local DAY_MS, PAUSE_MS = 86400000, 60000

local function seen(key)
  for i = at, at + 3 do
    if redis.call('GETBIT', key, ARGV[i]) == 0 then return false end
  end
  return true
end

for _ = 1, tonumber(known) do
  for i = at, at + 3 do redis.call('SETBIT', KEYS[3], ARGV[i], 1) end
  for i = at + 5, at + 4 + tonumber(ARGV[at + 4]) do redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[i]) end
  at = at + 5 + tonumber(ARGV[at + 4])
end
if tonumber(known) > 0 then redis.call('PEXPIRE', KEYS[3], 2 * DAY_MS) end

if empties then redis.call('SET', KEYS[2], '1', 'PX', PAUSE_MS) end
-- A pause that lasts longer is from before the clock was set back.
if redis.call('PTTL', KEYS[2]) > PAUSE_MS then redis.call('PEXPIRE', KEYS[2], PAUSE_MS) end
if redis.call('GET', KEYS[2]) then
  redis.call('DEL', KEYS[1])
  return 0
end

while at + 5 <= #ARGV do
  if not seen(KEYS[3]) and not seen(KEYS[4]) then
    redis.call('ZADD', KEYS[1], 'GT', ARGV[at + 5], ARGV[at + 4])
  end
  at = at + 6
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- From before the clock was set back: the workers refuse these addresses no longer.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. latest, '+inf')
-- Those that end first make room: they are released soonest anyway.
local over = redis.call('ZCARD', KEYS[1]) - most
if over > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1) end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
if last then redis.call('PEXPIRE', KEYS[1], math.max(1, tonumber(last) - now)) end
return redis.call('ZCARD', KEYS[1])
