-- Reads or clears counters for an operator; see `counters.py`.
--
-- KEYS     plain records; or, where a field is given, an account's bucket and its own key.
-- ARGV     `read`, `clear`, `forget` (an account: `clear`, and its history), or `end` (`forget`, and the trust of all its
--          devices), and the account's field in its bucket, or "".
-- Returns  now in microseconds as a string, then each record as it was, or "".
-- Cost     one command a record, and two or three more to clear an account.
--
-- Layouts are those of `ledger.lua`.

local call, pcall = redis.call, redis.pcall
local word, field = ARGV[1], ARGV[2]

local HEAD, HEAD_BYTES, LANE_BYTES, TAT_BYTES = '<BBI7I4BBI2BBBB', 21, 19, 7
local LANE_HEAD, FAILED, ENDED = '<c8I4I7', 2147483648, 2147483647
local CHANGE = 252
local RENEWAL_KEPT_MS, HISTORY_KEPT_MS, ENDED_KEPT_MS = 86400000, 5184000000, 34560000000

-- How long a lane is kept without its counts; 0 where nothing is. A token that was replaced must stay spent, or an
-- attacker's old copy would be good again, and the account's history counts no guesses.
local function kept_ms(head, generation, renewed)
  if generation == ENDED then return ENDED_KEPT_MS end
  if generation < FAILED then return renewed > 0 and RENEWAL_KEPT_MS or 0 end
  local kind = string.byte(head)
  if kind == CHANGE then return word == 'end' and 0 or ENDED_KEPT_MS end
  return word == 'clear' and (kind == 253 or kind == 254) and HISTORY_KEPT_MS or 0
end

-- What is kept of an account's lanes, packed, how many, of how many TATs, and for how long.
local function lanes_of(value)
  if #value < HEAD_BYTES or string.byte(value) ~= 2 then return '', 0, 0, 0 end
  local _, n, _, _, young, old, _, tried, tried_old, lanes, tats = struct.unpack(HEAD, value)
  local at, width = HEAD_BYTES + n * TAT_BYTES + (young + old + tried + tried_old) * 4, LANE_BYTES + tats * TAT_BYTES
  if #value ~= at + lanes * width then return '', 0, 0, 0 end
  local kept, longest_ms, zeros = {}, 0, string.rep('\0', tats * TAT_BYTES)
  for i = 1, lanes do
    local head = string.sub(value, at + (i - 1) * width + 1, at + (i - 1) * width + LANE_BYTES)
    local _, generation, renewed = struct.unpack(LANE_HEAD, head)
    local ms = kept_ms(head, generation, renewed)
    if ms > 0 then kept[#kept + 1], longest_ms = head .. zeros, math.max(longest_ms, ms) end
  end
  return table.concat(kept), #kept, tats, longest_ms
end

local function read_account()
  -- An error: a value of another kind, and the account is absent.
  local own = pcall('GET', KEYS[2])
  if type(own) == 'string' then return own end
  local shared = pcall('HGET', KEYS[1], field)
  return type(shared) == 'string' and shared or ''
end

-- As a change of the password leaves it: tokens that were issued until now are void.
local function change_entry(now, tats)
  local renewed = now + (ENDED_KEPT_MS - RENEWAL_KEPT_MS) * 1000
  return struct.pack(LANE_HEAD, string.char(CHANGE) .. string.rep('\0', 7), FAILED, renewed)
    .. string.rep('\0', tats * TAT_BYTES)
end

-- What is kept goes under the account's own key.
local function clear_account(value)
  local lanes, count, tats, longest_ms = lanes_of(value)
  pcall('HDEL', KEYS[1], field)
  local time = call('TIME')
  local now = time[1] * 1000000 + time[2]
  if word == 'end' then
    lanes, count, longest_ms = lanes .. change_entry(now, tats), count + 1, ENDED_KEPT_MS
  end
  if count == 0 then return call('DEL', KEYS[2]) end
  local generation = math.floor(now / 1800000000)
  local head = struct.pack(HEAD, 2, 0, 0, generation, 0, 0, 0, 0, 0, count, tats)
  return call('SET', KEYS[2], head .. lanes, 'PX', longest_ms)
end

local time = call('TIME')
local answer = {string.format('%d%06d', time[1], time[2])}
if field ~= '' then
  local value = read_account()
  answer[2] = value
  if word ~= 'read' then clear_account(value) end
else
  for i, key in ipairs(KEYS) do
    local value = pcall('GET', key)
    answer[i + 1] = type(value) == 'string' and value or ''
  end
  if word == 'clear' then
    for _, key in ipairs(KEYS) do call('DEL', key) end
  end
end
return answer
