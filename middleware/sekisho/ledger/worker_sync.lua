-- Once a second from every worker: it reports itself and its refusals, and hears of the other workers.
--
-- KEYS     workers (sorted set: worker by time), shed (hash: day → refusals), began (string: when the store was first
--          told of a worker), rules (sorted set: what is known of rules of success by time). All expire.
-- ARGV     worker, refusals since the last call, and what there is to say of rules of success.
-- Returns  now in microseconds as a string, workers seen, when it began, what is known of rules.
-- Cost     O(log workers) and what is news.

local call = redis.call
local workers, shed, began, rules = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local worker, refused = ARGV[1], tonumber(ARGV[2])

local time = call('TIME')
local now = string.format('%d%06d', time[1], time[2])

call('ZADD', workers, now, worker)
call('ZREMRANGEBYSCORE', workers, '-inf', tonumber(now) - 5000000)
-- Workers that ended before the clock was set back would count until it has caught up.
call('ZREMRANGEBYSCORE', workers, tonumber(now) + 60000000, '+inf')
call('PEXPIRE', workers, 60000)

if refused > 0 then
  call('HINCRBY', shed, math.floor(time[1] / 86400), refused)
  call('PEXPIRE', shed, 30 * 86400000)
end

-- As long as the longest record: a worker that finds another one than before knows that the records are gone as well.
call('SET', began, now, 'NX')
call('PEXPIRE', began, 90 * 86400000)

-- A wrong rule stays wrong for longer than any device token lives that was issued under it.
for i = 3, #ARGV do
  call('ZADD', rules, now, ARGV[i])
end
if #ARGV > 2 then
  call('ZREMRANGEBYRANK', rules, 0, -257)
  call('PEXPIRE', rules, 400 * 86400000)
end

return {now, call('ZCARD', workers), call('GET', began), call('ZRANGE', rules, 0, -1)}
