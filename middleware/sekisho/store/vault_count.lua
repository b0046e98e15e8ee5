-- Adds one to a count. It is made with its end and only then counted up, so that whatever dies in between, none is
-- without end; inside a script no time passes, so none ends between the two.
--
-- KEYS[1]  the count.
-- ARGV[1]  milliseconds from the first one to the end; those after it change nothing.
-- Returns  how many it makes.
-- Cost     three commands on one key.

redis.call('SET', KEYS[1], '0', 'PX', ARGV[1], 'NX')
-- Longer than any count lasts: the clock was set back since. An owner would be locked out until it has caught up.
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return redis.call('INCR', KEYS[1])
