-- Reads or clears counters for an operator; see `counters.py`.
--
-- KEYS     plain records; or, where a field is given, an account's bucket and its own key.
-- ARGV     `read` or `clear`, and the account's field in its bucket, or "".
-- Returns  now in microseconds as a string, then each record as it was, or "".
-- Cost     one command a record, and two or three more to clear an account.
--
-- Layouts are those of `ledger.lua`.

local call, pcall = redis.call, redis.pcall
local word, field = ARGV[1], ARGV[2]

local HEAD, HEAD_BYTES, LANE_BYTES, TAT_BYTES = '<BBI7I4BBI2BBBB', 21, 19, 7
local LANE_HEAD, FAILED = '<c8I4I7', 2147483648

-- The lanes of an account without their counts, packed, and how many: a token that was replaced must stay spent, or an
-- attacker's old copy would be good again.
local function lanes_of(value)
  if #value < HEAD_BYTES or string.byte(value) ~= 2 then return '', 0, 0 end
  local _, n, _, _, young, old, _, tried, tried_old, lanes, tats = struct.unpack(HEAD, value)
  local at, width = HEAD_BYTES + n * TAT_BYTES + (young + old + tried + tried_old) * 4, LANE_BYTES + tats * TAT_BYTES
  if #value ~= at + lanes * width then return '', 0, 0 end
  local kept, zeros = {}, string.rep('\0', tats * TAT_BYTES)
  for i = 1, lanes do
    local head = string.sub(value, at + (i - 1) * width + 1, at + (i - 1) * width + LANE_BYTES)
    local _, generation, renewed = struct.unpack(LANE_HEAD, head)
    if generation < FAILED and renewed > 0 then kept[#kept + 1] = head .. zeros end
  end
  return table.concat(kept), #kept, tats
end

local function read_account()
  -- An error: a value of another kind, and the account is absent.
  local own = pcall('GET', KEYS[2])
  if type(own) == 'string' then return own end
  local shared = pcall('HGET', KEYS[1], field)
  return type(shared) == 'string' and shared or ''
end

-- What is kept goes under the account's own key, with a day to live, as renewals are remembered.
local function clear_account(value)
  local lanes, count, tats = lanes_of(value)
  pcall('HDEL', KEYS[1], field)
  if count == 0 then return call('DEL', KEYS[2]) end
  local time = call('TIME')
  local generation = math.floor((time[1] * 1000000 + time[2]) / 1800000000)
  local head = struct.pack(HEAD, 2, 0, 0, generation, 0, 0, 0, 0, 0, count, tats)
  return call('SET', KEYS[2], head .. lanes, 'PX', 86400000)
end

local time = call('TIME')
local answer = {string.format('%d%06d', time[1], time[2])}
if field ~= '' then
  local value = read_account()
  answer[2] = value
  if word == 'clear' then clear_account(value) end
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
