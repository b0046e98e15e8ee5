-- Adds one worker's new counts to those of all workers.
-- KEYS: the sums; the number of the last addition of this worker.
-- ARGV: the number of this addition; milliseconds that the sums live, seconds that the number does; then pairs of a
-- field and its increment.
-- An addition whose answer was lost is sent again under the same number, perhaps by another event loop of the worker and
-- after the next one. It must not count twice.
if tonumber(redis.call('GET', KEYS[2]) or 0) >= tonumber(ARGV[1]) then
  return 0
end
for at = 4, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
return 1
