-- Sums amounts of one account at one route against caps; see `caps.py`, whose arithmetic this is.
--
-- KEYS[1]  the record.
-- ARGV[1]  `take` or `back`.
-- ARGV[2]  now in microseconds, for tests; 0: the server's time.
-- ARGV[3]  the caps, packed: sum·7, period in microseconds·7, little endian, for each.
-- ARGV[4]  the amount in minor units, at most 10^15.
-- ARGV[5]  for `back`: when it was admitted, in microseconds.
-- Returns  1 if the amount was admitted, else 0, and now as a string. An error for a record of an unknown layout:
--          read as empty, it would admit the whole cap anew.
-- Cost     two commands on one key.
--
-- A record: version·1, then first·7, last·7, amount·7 of each entry, oldest first. All numbers are below 2^53.

local call = redis.call
local VERSION, WIDTH, MOST = 1, 21, 64
local word, caps, amount, back_at = ARGV[1], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local now = tonumber(ARGV[2])
if now == 0 then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end

local sums, periods, keep = {}, {}, 0
for at = 1, #caps, 14 do
  local sum, period = struct.unpack('<I7I7', caps, at)
  sums[#sums + 1], periods[#periods + 1] = sum, period
  keep = math.max(keep, period)
end

local value = call('GET', KEYS[1])
local firsts, lasts, amounts = {}, {}, {}
local is_of_another_clock = false
if value then
  if string.byte(value) ~= VERSION or (#value - 1) % WIDTH ~= 0 then
    return redis.error_reply('ERR a record of caps has an unknown layout')
  end
  for at = 2, #value, WIDTH do
    local first, last, held = struct.unpack('<I7I7I7', value, at)
    if last > now - keep then
      is_of_another_clock = is_of_another_clock or last > now
      local n = #lasts + 1
      firsts[n], lasts[n], amounts[n] = math.min(first, now), math.min(last, now), held
    end
  end
end

local function fits()
  for i, most in ipairs(sums) do
    local sum = amount
    for j, last in ipairs(lasts) do
      if last > now - periods[i] then sum = sum + amounts[j] end
    end
    if sum > most then return false end
  end
  return true
end

local function join_nearest()
  local at, gap = 1, nil
  for i = 1, #lasts - 1 do
    local found = lasts[i + 1] - lasts[i]
    if not gap or found < gap then at, gap = i, found end
  end
  firsts[at + 1], amounts[at + 1] = firsts[at], amounts[at] + amounts[at + 1]
  table.remove(firsts, at)
  table.remove(lasts, at)
  table.remove(amounts, at)
end

local function add()
  local n = #lasts
  if n > 0 and lasts[n] == now then
    amounts[n] = amounts[n] + amount
    return
  end
  firsts[n + 1], lasts[n + 1], amounts[n + 1] = now, now, amount
  if n + 1 > MOST then join_nearest() end
end

local function take_out()
  for i, last in ipairs(lasts) do
    if firsts[i] <= back_at and back_at <= last and amounts[i] >= amount then
      amounts[i] = amounts[i] - amount
      if amounts[i] == 0 then
        table.remove(firsts, i)
        table.remove(lasts, i)
        table.remove(amounts, i)
      end
      return
    end
  end
end

local function write()
  local n = #lasts
  if n == 0 then return call('DEL', KEYS[1]) end
  local packed = {string.char(VERSION)}
  for i = 1, n do packed[i + 1] = struct.pack('<I7I7I7', firsts[i], lasts[i], amounts[i]) end
  local life = math.ceil((lasts[n] + keep - now) / 1000)
  call('SET', KEYS[1], table.concat(packed), 'PX', string.format('%.0f', life))
end

local time = string.format('%.0f', now)
if word == 'back' then
  take_out()
elseif not fits() then
  if is_of_another_clock then write() end
  return {0, time}
elseif amount > 0 then
  add()
end
write()
return {1, time}
