-- Once a second from every worker: I am here, this is what I shed; who else is here, and what has an operator said?
--
-- KEYS     workers (sorted set: worker by time), shed (hash: day → refusals), mode (string), unblocked (sorted set:
--          digest by time), began (string: when the store was first told of anybody), rules (sorted set: what is known
--          of rules of success by time). All expire but the mode, which an operator has set.
-- ARGV     worker, refusals since the last call, microseconds of the last call (0: the first), how many to hear of,
--          and what there is to say of rules of success.
-- Returns  now in microseconds as a string, workers seen, mode or "", when it began, what is known of rules, digests
--          unblocked since the last call.
-- Cost     O(log workers) and what is news.

local call = redis.call
local workers, shed, mode, unblocked, began, rules = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local worker, refused, since, most = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]

local time = call('TIME')
local now = string.format('%d%06d', time[1], time[2])

call('ZADD', workers, now, worker)
call('ZREMRANGEBYSCORE', workers, '-inf', tonumber(now) - 5000000)
call('PEXPIRE', workers, 60000)

if refused > 0 then
  call('HINCRBY', shed, math.floor(time[1] / 86400), refused)
  call('PEXPIRE', shed, 30 * 86400000)
end

-- As long as the longest record: whoever finds another one than before knows that the records are gone as well.
call('SET', began, now, 'NX')
call('PEXPIRE', began, 90 * 86400000)

-- A wrong rule stays wrong for longer than any device token lives that was issued under it.
for i = 5, #ARGV do
  call('ZADD', rules, now, ARGV[i])
end
if #ARGV > 4 then
  call('ZREMRANGEBYRANK', rules, 0, -257)
  call('PEXPIRE', rules, 400 * 86400000)
end

local known = call('ZRANGE', rules, 0, -1)
local answer = {now, call('ZCARD', workers), call('GET', mode) or '', call('GET', began), known}
-- A worker that starts has nothing to forget.
if since ~= '0' then
  for _, digest in ipairs(call('ZRANGEBYSCORE', unblocked, '(' .. since, '+inf', 'LIMIT', 0, most)) do
    answer[#answer + 1] = digest
  end
end
return answer
