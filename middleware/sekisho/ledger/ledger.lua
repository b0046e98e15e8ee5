-- The ledger inside Redis: a batch of charges and settlements, in order, each seeing all before it.
-- `ledger.py` is the reference and says why; this file says only what differs for being here.
--
-- KEYS     per operation, of the families that it covers: network records (narrowest first), ip, device; ip and credit
--          where a settlement changes the address's credit; the account's own key, which is its bucket's with its field
--          behind it; on a Cluster that bucket, without which a node that hands over the slot would not see that the
--          account is still there; secret.
-- ARGV[1]  the limits, packed: for ip, device, account, lane and each network a count byte, then (interval,
--          span) as two 8-byte integers a limit, with zeros for what there could be of them: four.
-- ARGV[2]  now in microseconds, for tests; "0" means the server's own clock. Negative, with "-1" for that clock, while
--          the server holds more than its budget: see `SHARED`.
-- ARGV[3…] one packed operation each, see `OPERATION`. A whole charge covers every family; a part covers one, because
--          on a Cluster each may live on a node of its own. A compensation takes the account's part back.
-- Returns  the verdicts of all charges as one string, see `VERDICT`; behind each part's the account as it was, see
--          `BEFORE`. Settlements and compensations return nothing.
-- Cost     one MGET for the batch, one HGET an account; one SET for each record that changed, or for an account one
--          PTTL and one HSET; see `LOOKS_ONE_IN` for one that is new to its bucket. Two keys are touched that KEYS need
--          not have, each beside one that it has: an account's bucket, where the account has no key of its own, and an
--          address's credit, at which hardly any charge has to look.
--
-- Records are packed, carry their version and always expire. One of an unknown shape reads as absent.
--
-- The same text is a script and, under a name, a library (`script.py`). Of a library all but `run` is done once, while
-- nothing is there yet: neither Redis' own functions nor any of Lua's. So `run` begins with `begin`, and what a call
-- knows stands in variables that it sets.

local struct_pack, struct_unpack, find_plain, sub, floor, ceil, max, byte, rep, call, pcall, band

-- An operation's head, its times and tags, then the names of its device and place, and what a compensation takes back.
-- The head is six bytes: kind, flags, families, networks, what was charged, deeds. The names are read where an account
-- has entries to compare with them: most attempts have none.
local OPERATION, NAMES, NAMES_AT, REST_AT = '<I6I8I4c4c4c4c4', '<BI3I4I3I4B', 35, 51
local VERDICT = '<I8I4I8I8I8I8I8I4BBBBBI4'
local BEFORE = '<I2I7I4BI7I7I7I7BBc32B'
local NAME = '<BI3I4' -- of a device, and of an entry beside devices' buckets
local LANE_HEAD_BYTES, TAT_BYTES, TAG_BYTES = 19, 7, 4
local PLAIN, ACCOUNT = 1, 2 -- versions of the two layouts

local CHARGE, SETTLE, PART, COMPENSATE = 1, 2, 3, 4 -- and 5: fail
local NETWORK, ACCOUNT_FAMILY, SECRET, CREDIT, BUCKET = 1, 2, 4, 8, 16 -- families that an operation covers
local EXEMPT, HAS_ACCOUNT, HAS_SECRET, HAS_LANE, RENEWED, PROVED, RIGHT, ENDS = 1, 2, 4, 8, 16, 32, 64, 128
local NETWORK_CHARGED, ACCOUNT_CHARGED, FAILURE_CHARGED, LANE_CHARGED = 1, 2, 4, 8
local YOUNG, SPENT, PAIR_TAGGED, MEMBER_TAGGED, LAST, NEXT_NETWORK = 16, 32, 64, 128, 256, 512
local CREDIT_SPENT = 16 -- of what was charged; in a verdict's bits, where 16 has another meaning, `CREDIT_CHARGED`
local SHARED_MARK, CREDIT_MARK, EARNS_MARK, SPARED_MARK, CREDIT_CHARGED = 2048, 4096, 8192, 16384, 32768
local FAILING_MARK = 65536
local WORKED, LEARNS, EARNS, TRIES, FIRST = 2, 4, 8, 16, 32 -- an operation's deeds; 0 where it has no place
local NO_TAG = '\0\0\0\0' -- of a settlement that takes none out

-- Accounts are remembered for up to 90 days and are the most by far. A Redis key each costs more than what it holds, so
-- they share hashes that Redis keeps as one packed block, as long as no value is longer than this
-- (hash-max-listpack-value). What has grown beyond, under attack or with devices, moves to a key of its own and back.
local BUCKETED_MAX, FIELD_BYTES = 64, 8 -- and how long a field's name is
-- Fields of a hash do not expire by themselves. Of the newcomers to a bucket one in four looks at a neighbour, and each
-- that moves the bucket's end; where that is dead at sixteen more, and where nearly all of these are, as after a flood
-- of invented names, at another 128: so the dead are hardly ever more than the living, no call does more than so much,
-- and where nobody dies it costs next to nothing. The bucket as a whole expires when its last has ended.
local LOOKS_ONE_IN, NEIGHBOUR, MORE_NEIGHBOURS, NEARLY_ALL, MOST_NEIGHBOURS = 4, '1', '16', 12, '128'

-- While the server is over its budget, accounts that are not there share one record for each bucket, under this name in
-- it, and secrets that are not there leave none. `apply` in the reference says why.
local SHARED = '\0\0\0\0\0\0\0\0'
local OWN_ONE_IN, SHARED_WAIT_MAX = 256, 60000000

local GENERATION = 1800000000
local YOUNG_US = 2000000
local DAY, FAILURES_KEPT_DAYS, FAILURES_KEPT, FAILURES_CAP = 86400000000, 90, 7776000000000, 65535
local RENEWAL_KEPT, RENEWAL_GRACE, LANES_MAX = 86400000000, 60000000, 16
local CLOCK_STEP = 60000000
local FAILED = 2147483648
local ENDED, ENDED_KEPT = 2147483647, 34560000000000
local CHANGE, CHANGE_BYTE = 252, '\252' -- the last change of the password
local FAILURES, FAILURES_BYTE = 255, '\255' -- of a device
local SITES = 2 -- networks of one house or site: /24; /56 and /48. The next is a provider's /32.
local ACCOUNTS_CAP, IPS_CAP, TRIED_CAP = 16, 8, 8
local MOVED, ADDED = 1, 2 -- what a tag that was seen has changed

-- An account's history stands among its lanes, in entries of these kinds; the address's credit is a record with two
-- TATs: what is left, and what was earned. `history.py` says more.
local SUMMARY, PLACE, PLACES_MAX, COUNT_MAX = 253, 254, 4, 127
local HOUR, HISTORY_KEPT, OLD_HOURS = 3600000000, 5184000000000, 168
local EARNED, CREDIT_ONE, CREDIT_MAX, SHARED_MIN = 21600000000, 172800000000, 5184000000000, 172800000000
local FIRST_EARNED = 86400000000

-- How long strangers' attempts at an address have led to no success, one more time behind its TATs; see
-- `address_failures.py`.
local FIRST_FAILURE, FAILING, LONGEST_FAILING = 10800000000, 86400000000, 140400000000
local REFUNDED_MAX = 16200000000

local PATTERNS_PAY = 4 -- operations in a batch, from which on it is worth while to look for what they have in common

local keys, arguments, now, generation_now, over_budget
local latest -- a record that was charged later is of another clock: that was set back since
local redated -- whether the record that was decoded last is, so that it has to be written

-- The operation; of it its device's name, and its place, in the numbers that they are packed as.
local operation, device_kind, device_first, device_rest, place_first, place_rest, place_browser

local function read_names()
  local kind, first, rest, place, place_end, browser = struct_unpack(NAMES, operation, NAMES_AT)
  device_kind = kind -- one by one: all in one statement would be copied first
  device_first = first
  device_rest = rest
  place_first = place
  place_rest = place_end
  place_browser = browser
end

-- `flag`: one bit. A call of `bit.band` would cost three times as much.
local function has(flags, flag)
  return flags % (flag + flag) >= flag
end

-- What an operation's head says, by name. A batch has the same few over and over: they are taken apart once.
local FACTS = {}

local function read_head(head)
  local kind, flags, families, networks, charged, deeds = byte(struct_pack('<I6', head), 1, 6)
  local on_network, on_account, on_secret, on_credit =
    has(families, NETWORK), has(families, ACCOUNT_FAMILY), has(families, SECRET), has(families, CREDIT)
  local keys = (on_network and networks + 2 or 0) + (on_credit and 2 or 0) + (on_account and 1 or 0)
    + (has(families, BUCKET) and 1 or 0) + (on_secret and 1 or 0)
  local facts
  if kind == CHARGE or kind == PART then
    facts = {
      kind = kind, charges = true, networks = networks, keys = keys,
      asks_network = on_network, asks_account = on_account, asks_secret = on_secret,
      exempt = has(flags, EXEMPT), account = has(flags, HAS_ACCOUNT), secret = has(flags, HAS_SECRET),
      lane = has(flags, HAS_LANE),
      has_place = deeds > 0, worked = has(deeds, WORKED), tries = has(deeds, TRIES),
    }
  else
    facts = {
      kind = kind, charges = false, networks = networks, keys = keys,
      asks_network = on_network, asks_account = on_account, asks_secret = on_secret, asks_credit = on_credit,
      renewed = has(flags, RENEWED), proved = has(flags, PROVED), ends = has(flags, ENDS),
      forgiven = has(flags, RIGHT) or has(flags, PROVED),
      network_charged = has(charged, NETWORK_CHARGED), account_charged = has(charged, ACCOUNT_CHARGED),
      failure_charged = has(charged, FAILURE_CHARGED), lane_charged = has(charged, LANE_CHARGED),
      credit_spent = has(charged, CREDIT_SPENT), learns = has(deeds, LEARNS), earns = has(deeds, EARNS),
      is_first = has(deeds, FIRST),
    }
  end
  FACTS[head] = facts
  return facts
end

local NONE = {} -- never written to

-- The limits of accounts and lanes; of each network record, then of ip and device, by how many networks an address has;
-- and all of them in their order. As read from `policy`, once in a call or once for a library's calls.
local ACCOUNTS, LANE, SETS, lane_bytes, lane_limits, limits, policy -- `lane_limits`: as an account's record has them

local UNLIMITED = {} -- secrets are not limited

-- `spent`: what the TATs of the record looked at last would be with one attempt more.
local function read_limits(packed)
  local sets, at = {}, 1
  while at <= #packed do
    local n, a, a_span, b, b_span, c, c_span, d, d_span
    n, a, a_span, b, b_span, c, c_span, d, d_span, at = struct_unpack('<BI8I8I8I8I8I8I8I8', packed, at)
    sets[#sets + 1] = {
      n = n, interval = {a, b, c, d}, span = {a_span, b_span, c_span, d_span}, top = {0, 0, 0, 0},
      spent = {0, 0, 0, 0}, first = false, first_end = 0, single = false,
    }
    local set = sets[#sets]
    for i = 1, set.n do
      if set.span[i] == set.interval[i] then set.single = true end
    end
  end
  return sets
end

local function set_limits()
  if policy ~= arguments[1] then
    limits = read_limits(arguments[1])
    local ip, device, first_network = limits[1], limits[2], 5
    ACCOUNTS, LANE, SETS = limits[3], limits[4], {}
    lane_bytes, lane_limits = LANE_HEAD_BYTES + LANE.n * TAT_BYTES, LANE.n * 16777216
    for networks = 1, #limits - first_network + 1 do
      local sets = {unpack(limits, first_network, first_network + networks - 1)}
      sets[networks + 1], sets[networks + 2] = ip, device
      SETS[networks] = sets
    end
    policy = arguments[1] -- and not before they could all be read
  end
  UNLIMITED.first = false
  for i = 1, #limits do
    local set = limits[i]
    local top, span = set.top, set.span
    set.first = false
    for j = 1, set.n do top[j] = now + span[j] end
  end
end

-- Packed records. Whole formats by layout and number of TATs, one call of `struct` for the fixed part of a record; and
-- how long that part is. Each value costs: neighbouring bytes are read and written as one number where that is no more
-- work, the layout with the number of TATs, and how many tags are young with how many are old.

local LIMITS_MAX = 4
local LANE_FORMATS = {[0] = '<c8I4I7', '<c8I4I7I7', '<c8I4I7I7I7', '<c8I4I7I7I7I7', '<c8I4I7I7I7I7I7'}
local ENTRY_FORMATS = {[0] = '<BI3I4I4I7', '<BI3I4I4I7I7', '<BI3I4I4I7I7I7', '<BI3I4I4I7I7I7I7', '<BI3I4I4I7I7I7I7I7'}
local HISTORY_FORMATS = {} -- two entries without TATs; each is made where one is written
local PLAIN_BYTES = {[0] = 15, 22, 29, 36, 43}
local PLAIN_FORMATS = {[0] = '<I2I7I4I2', '<I2I7I4I2I7', '<I2I7I4I2I7I7', '<I2I7I4I2I7I7I7', '<I2I7I4I2I7I7I7I7'}
local ACCOUNT_BYTES = {[0] = 21, 28, 35, 42, 49}
local ACCOUNT_FORMATS = {
  [0] = '<xxI7I4BBI2BBBB', '<xxI7I4BBI2BBBBI7', '<xxI7I4BBI2BBBBI7I7', '<xxI7I4BBI2BBBBI7I7I7',
  '<xxI7I4BBI2BBBBI7I7I7I7',
}
local WRITE_ACCOUNT = {
  [0] = '<I2I7I4I2I2I4', '<I2I7I4I2I2I4I7', '<I2I7I4I2I2I4I7I7', '<I2I7I4I2I2I4I7I7I7', '<I2I7I4I2I2I4I7I7I7I7',
}
local WHOLE_FORMATS = { -- of a plain record with its tags, to pack both at once
  [0] = '<I2I7I4I2c0', '<I2I7I4I2I7c0', '<I2I7I4I2I7I7c0', '<I2I7I4I2I7I7I7c0', '<I2I7I4I2I7I7I7I7c0',
}

-- Records and lanes, once unpacked, hold their TATs as an array, from 1. A table of up to eight other fields takes half
-- the memory of one with nine, which an account has.

-- Leaves the first `n`: the next value of `struct_unpack` is no TAT.
local function cut_tats(record, n)
  if n < LIMITS_MAX then record[n + 1] = nil end
  return record
end

local function set_tats(record, tats, n)
  for i = 1, n do record[i] = tats[i] end
  if #record > n then
    for i = #record, n + 1, -1 do record[i] = nil end
  end
end

-- An account's lanes stay packed, all as wide as the limits ask: an attempt looks at them once.

local function unpack_lane(lanes, at, n_tats)
  local device, generation, renewed, a, b, c, d = struct_unpack(LANE_FORMATS[n_tats], lanes, at)
  return cut_tats({a, b, c, d, device = device, generation = generation, renewed = renewed}, n_tats)
end

-- One not charged since the limits changed is widened with its last.
local function pack_lane(lane)
  local n, last = LANE.n, lane[#lane] or 0
  return struct_pack(
    LANE_FORMATS[n], lane.device, lane.generation, lane.renewed, lane[1] or last, lane[2] or last, lane[3] or last,
    lane[4] or last
  )
end

local function lane_end(n_tats, generation, renewed, a, b, c, d)
  local last = 0
  if renewed > 0 then last = renewed + (generation == ENDED and ENDED_KEPT or RENEWAL_KEPT) end
  if n_tats > 0 and a > last then last = a end
  if n_tats > 1 then last = max(last, b, n_tats > 2 and c or 0, n_tats > 3 and d or 0) end
  return last
end

-- What `survey` found, and in which lanes: when the last ends; whether one has ended or has the generation `ENDED` (the
-- earliest version forgets it sooner, so Redis need not know the end); the lane of the operation's device; the entries
-- of its history, how many places, whether one of them knows the browser; whether a device has failures; the change.
local surveyed, last_end, some_ended
local recalls -- whether the operation asks for the browser: a charge does
local lane_at, lane_generation, lane_renewed, lane_tats = nil, 0, 0, {}
local summary_at, summary_generation, first_hour, credit_hour
local place_at, place_generation, places, knows_browser, has_failures, change_at, change_renewed

-- Whether the operation's is among a place's three browsers, a byte each. Calls of `floor` would cost more.
local function has_browser(browsers)
  local its = place_browser
  return browsers % 256 == its or browsers % 65536 - browsers % 256 == its * 256
    or browsers - browsers % 65536 == its * 65536
end

-- Looks at each lane and entry once, for all that an operation asks.
local function survey(lanes, n_tats)
  if not surveyed then read_names() end
  local format, last, ended, count = ENTRY_FORMATS[n_tats], 0, false, 0
  lane_at, lane_generation, lane_renewed = nil, 0, 0
  summary_at, place_at, knows_browser, has_failures, change_at = nil, nil, false, false, nil
  for at = 1, #lanes, LANE_HEAD_BYTES + n_tats * TAT_BYTES do
    local kind, first, rest, generation, renewed, a, b, c, d = struct_unpack(format, lanes, at)
    local its_end
    if rest == device_rest and first == device_first and kind == device_kind then
      lane_at, lane_generation, lane_renewed = at, generation, renewed
      lane_tats[1], lane_tats[2], lane_tats[3], lane_tats[4] = a, b, c, d
      cut_tats(lane_tats, n_tats)
    end
    if generation < FAILED then
      its_end = lane_end(n_tats, generation, renewed, a, b, c, d)
      if generation == ENDED then ended = true end
    else
      its_end = renewed + RENEWAL_KEPT
      if kind == PLACE then
        count = count + 1
        if rest == place_rest and first == place_first then place_at, place_generation = at, generation end
        if recalls and place_browser ~= 0 and not knows_browser then
          knows_browser = has_browser((generation - FAILED - generation % 128) / 128)
        end
      elseif kind == SUMMARY then
        summary_at, summary_generation, first_hour, credit_hour = at, generation, first, rest
      elseif kind == FAILURES then
        has_failures = true
      elseif kind == CHANGE and generation == FAILED then
        change_at, change_renewed = at, renewed
      end
    end
    if its_end > last then last = its_end end
    if its_end <= now then ended = true end
  end
  surveyed, last_end, some_ended, places = lanes, last, ended, count
end

local function look_at(account)
  if surveyed ~= account.lanes then survey(account.lanes, LANE.n) end
end

-- The lanes that have not ended, as wide as they have to be.
local function living(packed, n_tats)
  local kept = {}
  for at = 1, #packed, LANE_HEAD_BYTES + n_tats * TAT_BYTES do
    local lane = unpack_lane(packed, at, n_tats)
    if lane_end(n_tats, lane.generation, lane.renewed, unpack(lane)) > now then kept[#kept + 1] = pack_lane(lane) end
  end
  return table.concat(kept)
end

-- The lanes, when the last ends, and whether Redis was told so.
local function read_lanes(packed, n_tats)
  survey(packed, n_tats)
  if not some_ended and n_tats == LANE.n then return packed, last_end, true end
  packed = living(packed, n_tats)
  survey(packed, LANE.n)
  return packed, last_end, false
end

local function fresh()
  return {at = 0, generation = generation_now, young = '', old = ''}
end

local function fresh_account()
  return {
    at = 0, generation = generation_now, young = '', old = '', failures = 0, tried = '', tried_old = '',
    lanes = '', lanes_end = 0,
  }
end

-- How long so many failures are remembered: a day for each, up to 90.
local function kept(failures)
  return (failures < FAILURES_KEPT_DAYS and failures or FAILURES_KEPT_DAYS) * DAY
end

local function ends(record)
  local last, lanes = now, record.lanes
  for i = 1, #record do
    local tat = record[i]
    if tat > last then last = tat end
  end
  if record.young ~= '' or record.old ~= '' or lanes and (record.tried ~= '' or record.tried_old ~= '') then
    local forgotten = (record.generation + 2) * GENERATION
    if forgotten > last then last = forgotten end
  end
  if not lanes then return last end
  if record.failures > 0 then
    local forgotten = record.at + kept(record.failures)
    if forgotten > last then last = forgotten end
  end
  if lanes == '' then return last end
  if not record.lanes_end then
    look_at(record)
    record.lanes_end = last_end
  end
  return record.lanes_end > last and record.lanes_end or last
end

-- As if it had been charged last now; see the reference.
local function redate(record)
  local by = now - record.at
  for i = 1, #record do record[i] = max(0, record[i] + by) end
  record.at, redated = now, true
end

local function tags(value, at, count)
  return count > 0 and sub(value, at, at + count * TAG_BYTES - 1) or ''
end

-- Records as they stand under keys that hold their version; of any other shape they read as absent.

-- And when it ends, as Redis was told when it was written; 0 where it is absent.
local function decode(value)
  redated = false
  -- A tag has four bytes and a TAT seven: the length tells how many TATs there are.
  local n = 3 - #value % TAG_BYTES
  if n == 0 and byte(value, 2) == 4 then n = 4 end
  local fixed = PLAIN_BYTES[n]
  if #value < fixed then return fresh(), 0 end
  local head, at, generation, counts, a, b, c, d = struct_unpack(PLAIN_FORMATS[n], value)
  local young = counts % 256
  local old, young_end = (counts - young) / 256, fixed + young * TAG_BYTES
  if head ~= PLAIN + n * 256 or #value ~= young_end + old * TAG_BYTES then return fresh(), 0 end
  local record = {
    a, b, c, d, at = at, generation = generation,
    young = young > 0 and sub(value, fixed + 1, young_end) or '', old = old > 0 and sub(value, young_end + 1) or '',
  }
  if n < LIMITS_MAX then record[n + 1] = nil end -- where the next would stand
  local told = counts > 0 and (generation + 2) * GENERATION or 0
  if n > 0 and a > told then told = a end
  if n > 1 then told = max(told, b, n > 2 and c or 0, n > 3 and d or 0) end
  if at > latest then redate(record) end
  if generation ~= generation_now then
    if generation < generation_now then
      record.generation = generation_now
      record.old, record.young = generation == generation_now - 1 and record.young or '', ''
    elseif generation > generation_now + 1 then
      record.generation, redated = generation_now, true
    end
  end
  return record, told
end

-- And whether Redis was told when its last lane ends.
local function decode_account(value)
  redated = false
  local version, n = byte(value, 1, 2)
  local fixed = version == ACCOUNT and ACCOUNT_BYTES[n]
  if not fixed or #value < fixed then return fresh_account() end
  local at, generation, young, old, failures, tried, tried_old, lanes, lane_tats, a, b, c, d =
    struct_unpack(ACCOUNT_FORMATS[n], value)
  local old_at = fixed + 1 + young * TAG_BYTES
  local tried_at = old_at + old * TAG_BYTES
  local lanes_at = tried_at + (tried + tried_old) * TAG_BYTES
  if lane_tats > LIMITS_MAX or #value ~= lanes_at - 1 + lanes * (LANE_HEAD_BYTES + lane_tats * TAT_BYTES) then
    return fresh_account()
  end
  local packed, lanes_end, is_told = '', 0, false
  if lanes > 0 then packed, lanes_end, is_told = read_lanes(sub(value, lanes_at), lane_tats) end
  local account = {
    a, b, c, d, at = at, generation = generation,
    young = young > 0 and sub(value, fixed + 1, old_at - 1) or '', old = old > 0 and tags(value, old_at, old) or '',
    failures = now < at + kept(failures) and failures or 0,
    tried = tried > 0 and sub(value, tried_at, tried_at + tried * TAG_BYTES - 1) or '',
    tried_old = tried_old > 0 and tags(value, tried_at + tried * TAG_BYTES, tried_old) or '',
    lanes = packed, lanes_end = lanes_end,
  }
  if n < LIMITS_MAX then account[n + 1] = nil end
  if at > latest then redate(account) end
  if generation ~= generation_now then
    if generation < generation_now then
      local before = generation == generation_now - 1
      account.generation = generation_now
      account.old, account.young = before and account.young or '', ''
      account.tried_old, account.tried = before and account.tried or '', ''
    elseif generation > generation_now + 1 then
      account.generation, redated = generation_now, true
    end
  end
  return account, is_told
end

-- A record, packed, and when it ends; 0 where nothing of it lasts.
local function encode(record)
  local n, young, old = #record, record.young, record.old
  local a, b, c, d, e = record[1], record[2], record[3], record[4], nil
  local tags, last = old == '' and young or young .. old, 0
  if tags ~= '' then last = (record.generation + 2) * GENERATION end
  if n > 0 and a > last then last = a end
  if n > 1 then last = max(last, b, c or 0, d or 0) end
  if n == 1 then
    b = tags
  elseif n == 0 then
    a = tags
  elseif n == 3 then
    d = tags
  elseif n == 2 then
    c = tags
  else
    e = tags
  end
  return struct_pack(
    WHOLE_FORMATS[n], PLAIN + n * 256, record.at, record.generation, (#young + #old * 256) / TAG_BYTES, a, b, c, d, e
  ), last
end

local function encode_account(account)
  local n, young, old, tried, tried_old = #account, account.young, account.old, account.tried, account.tried_old
  local lanes = account.lanes
  return struct_pack(
    WRITE_ACCOUNT[n], ACCOUNT + n * 256, account.at, account.generation, (#young + #old * 256) / TAG_BYTES,
    account.failures, (#tried + #tried_old * 256) / TAG_BYTES + #lanes / lane_bytes * 65536 + lane_limits,
    account[1], account[2], account[3], account[4]
  ) .. young .. old .. tried .. tried_old .. lanes
end

-- GCRA.

-- One TAT per limit, none before now and none beyond its span (`top`); see `fitted` in the reference.

-- The wait until one more attempt has room; what the TATs are with it is left in `set.spent`, for `set_tats`.
local function wait_of(tats, set)
  local wait, interval, tops, spent = 0, set.interval, set.top, set.spent
  for i = 1, set.n do
    local tat, top = tats[i] or tats[#tats] or 0, tops[i]
    if tat < now then tat = now elseif tat > top then tat = top end
    tat = tat + interval[i]
    spent[i] = tat
    if tat - top > wait then wait = tat - top end
  end
  return wait
end

local function refund(tats, set, charged_at)
  local n, elapsed, interval, tops = #tats, now - charged_at, set.interval, set.top
  local last = tats[n] or 0
  if elapsed < 0 then elapsed = 0 end
  for i = 1, set.n do
    local tat, top = tats[i] or last, tops[i]
    if tat < now then tat = now elseif tat > top then tat = top end
    local weighs = interval[i] - elapsed
    tats[i] = weighs > 0 and tat - weighs or tat
  end
  for i = n, set.n + 1, -1 do tats[i] = nil end
end

-- Tags.

local function find(tags, tag)
  if tags == '' then return nil end
  local at = find_plain(tags, tag, 1, true)
  while at and (at - 1) % TAG_BYTES ~= 0 do at = find_plain(tags, tag, at + 1, true) end
  return at
end

local function cut(tags, at)
  return sub(tags, 1, at - 1) .. sub(tags, at + TAG_BYTES)
end

-- The two generations with `tag` among the young, and what that changed: nothing, its place, or that it was added.
local function see(young, old, tag, cap)
  if young == '' and old == '' then return tag, old, ADDED end
  if find(young, tag) then return young, old, nil end
  local at = find(old, tag)
  if at then return young .. tag, cut(old, at), MOVED end
  if (#young + #old) / TAG_BYTES < cap then return young .. tag, old, ADDED end
  if #old > 0 then return young .. tag, sub(old, TAG_BYTES + 1), ADDED end
  return sub(young, TAG_BYTES + 1) .. tag, old, ADDED
end

local function without(tags, tag)
  if tags == tag then return '' end
  local at = find(tags, tag)
  return at and cut(tags, at) or tags
end

local function size(record)
  return (#record.young + #record.old) / TAG_BYTES
end

-- The batch's own view of what is stored: read at once, written once at the end.

-- An empty table with room for one value a key: growing to that costs several times as much as what is put in.
local function room()
  return {unpack(NONE, 1, #keys)}
end

-- By the place where a record's key stands first: what is stored, and after a pattern what will be; the record once it
-- is opened, which from then on counts instead; and what it changed to: the record, or the pattern that it follows.
local stored, opened, changed, slots
local told -- when Redis thinks that a record ends; 0 where it was not told
local is_account, apart -- `apart`: under a key of its own, and until when if that is its lanes' end
local shared -- by slot: whether it is that of the record that newcomers to a bucket share; its key is the bucket's

-- Where the record of a key is, and the record itself, or nil where there is none.
local function open(i)
  local key = keys[i]
  local slot = slots[key]
  if not slot then
    slot, slots[key] = i, i
  end
  local record, value = opened[slot], stored[slot]
  if not record and value then
    record, told[slot] = decode(value)
    if changed[slot] then told[slot] = 0 end -- by this batch: Redis was told nothing yet
    if redated then changed[slot] = record end
    opened[slot] = record
  end
  return slot, record
end

local function open_fresh(slot)
  local record = fresh()
  opened[slot] = record
  return record
end

local function bucket_of(key)
  return sub(key, 1, -FIELD_BYTES - 1)
end

-- An account lies in its bucket, or under its own key where it was too long for that.
local function account_slot(i)
  local key = keys[i]
  local slot = slots[key]
  if not slot then
    slot = i
    slots[key], is_account[slot] = slot, true
    if stored[slot] then
      apart[slot] = true
    else
      local value = pcall('HGET', bucket_of(key), sub(key, -FIELD_BYTES))
      if type(value) == 'string' then stored[slot] = value end -- an error: somebody else's value, and ours is absent
    end
  end
  return slot
end

local function open_account(slot)
  local account = opened[slot]
  if not account and stored[slot] then
    local is_told
    account, is_told = decode_account(stored[slot])
    opened[slot] = account
    if redated then changed[slot] = account end
    if is_told and apart[slot] then apart[slot] = account.lanes_end end
  end
  return account
end

-- Where the record is that newcomers to the bucket of the account at `i` share.
local function shared_slot(i)
  local bucket = bucket_of(keys[i])
  local slot = slots[bucket]
  if not slot then
    slot = #keys + 1
    keys[slot], slots[bucket], shared[slot] = bucket, slot, true
    local value = pcall('HGET', bucket, SHARED)
    stored[slot] = type(value) == 'string' and value or nil
  end
  return slot
end

local function open_fresh_account(slot)
  local account = fresh_account()
  opened[slot] = account
  return account
end

local function note(slot, record, tag, cap)
  local news
  record.young, record.old, news = see(record.young, record.old, tag, cap)
  if news then changed[slot] = record end
  return news
end

-- Whether nothing is left of a record: what is refused is then not remembered either.
local function is_gone(record)
  return not record or ends(record) <= now
end

-- Whether there is no room for one more charge beside the one that `set.spent` has in it. `set.single`: the same of a
-- record that was not there.
local function is_last(set)
  local spent, interval, tops = set.spent, set.interval, set.top
  for i = 1, set.n do
    if spent[i] + interval[i] > tops[i] then return true end
  end
  return false
end

-- Lanes.

local function without_lane(lanes, at)
  return at and sub(lanes, 1, at - 1) .. sub(lanes, at + lane_bytes) or lanes
end

-- All but up to four, of which `count` are there.
local function beside(lanes, count, a, b, c, d)
  local kept = ''
  if #lanes == count * lane_bytes then return kept end
  for at = 1, #lanes, lane_bytes do
    if at ~= a and at ~= b and at ~= c and at ~= d then kept = kept .. sub(lanes, at, at + lane_bytes - 1) end
  end
  return kept
end

-- Whether more is charged than ever has room; see the reference.
local function is_of_another_clock(tats)
  for i = 1, LANE.n do
    if tats[i] and tats[i] > LANE.top[i] + CLOCK_STEP then return true end
  end
  return false
end

-- How many lanes there are beside the one at `its_at`, or for what counts a lane's failures how many other such; and
-- where one of them is at rest.
local function others_like(lanes, its_at, counts_failures)
  local others, at_rest = 0, nil
  for at = 1, #lanes, lane_bytes do
    local lane = unpack_lane(lanes, at, LANE.n)
    if at ~= its_at and (lane.generation >= FAILED) == counts_failures
      and (lane.generation ~= FAILED or byte(lane.device) ~= CHANGE)
    then
      others = others + 1
      if not at_rest and (max(0, unpack(lane)) <= now or is_of_another_clock(lane)) then at_rest = at end
    end
  end
  return others, at_rest
end

-- Whether there is a place for one more lane beside the one at `at`; and which has to go for it.
local function place_for(lanes, at, counts_failures)
  if #lanes < LANES_MAX * lane_bytes then return true, nil end
  local others, at_rest = others_like(lanes, at, counts_failures)
  if others < LANES_MAX then return true, nil end
  return at_rest ~= nil, at_rest
end

-- The first seven bytes of its name.
local function device_name()
  return sub(struct_pack(NAME, device_kind, device_first, device_rest), 1, 7)
end

-- The lane of the operation's device, as it is now.
local function pack_its_lane(tats)
  return struct_pack(
    ENTRY_FORMATS[LANE.n], device_kind, device_first, device_rest, lane_generation, lane_renewed, tats[1], tats[2],
    tats[3], tats[4]
  )
end

-- A device's failures stand beside its lane, under a name that no device has: where, and how many.
local function find_failures(lanes)
  if not has_failures then return nil, 0 end
  local name = FAILURES_BYTE .. device_name()
  for at = 1, #lanes, lane_bytes do
    local lane = unpack_lane(lanes, at, LANE.n)
    if lane.device == name then return at, lane.generation - FAILED end
  end
  return nil, 0
end

-- An entry that is no lane: without TATs, and so that it ends as a lane does.
local function entry_of(name, data, kept)
  return pack_lane({device = name, generation = FAILED + data, renewed = now + kept - RENEWAL_KEPT})
end

local function set_lanes(account, lanes, lanes_end)
  account.lanes, account.lanes_end = lanes, lanes_end
end

local function fail_in_lane(account)
  look_at(account)
  local lanes = account.lanes
  local at, failures = find_failures(lanes)
  local has_place, at_rest = place_for(lanes, at, true)
  if not has_place then return end
  local entry = entry_of(FAILURES_BYTE .. device_name(), math.min(FAILURES_CAP, failures + 1), FAILURES_KEPT)
  set_lanes(account, beside(lanes, 0, at, at_rest) .. entry, nil)
end

-- The last change of the password: an entry as well, whose name holds the device that made it.
local function end_devices(account, changed_at)
  if changed_at <= now - HOUR or changed_at > now then changed_at = now end -- of another clock, or of none
  look_at(account)
  local entry = entry_of(CHANGE_BYTE .. device_name(), 0, changed_at - now + ENDED_KEPT)
  set_lanes(account, without_lane(account.lanes, change_at) .. entry, nil)
end

local function is_void(lanes, issued)
  if issued == 0 or not change_at then return false end
  return issued <= change_renewed + RENEWAL_KEPT - ENDED_KEPT
    and sub(lanes, change_at + 1, change_at + 7) ~= device_name()
end

-- Whether the lane let the attempt in; else the wait, and whether its token counts no longer. The failures with this.
local function enter_lane(slot, account, generation, issued)
  look_at(account)
  local lanes, spent = account.lanes, LANE.spent
  if generation < lane_generation and (lane_generation == ENDED or math.abs(now - lane_renewed) > RENEWAL_GRACE) then
    return false, 0, true
  end
  if is_void(lanes, issued) then return false, 0, true end
  local wait = wait_of(lane_at and lane_tats or NONE, LANE)
  if wait > 0 and is_of_another_clock(lane_tats) then wait = wait_of(NONE, LANE) end
  if wait > 0 then return false, wait, false end
  local _, failed = find_failures(lanes)
  local has_place, at_rest = place_for(lanes, lane_at, false)
  if not has_place then return false, 0, false end
  local its_end = lane_end(LANE.n, lane_generation, lane_renewed, spent[1], spent[2], spent[3], spent[4])
  if at_rest then
    set_lanes(account, beside(lanes, 0, lane_at, at_rest) .. pack_its_lane(spent), nil)
  else
    set_lanes(account, without_lane(lanes, lane_at) .. pack_its_lane(spent), max(last_end, its_end))
  end
  changed[slot] = account
  return true, 0, false, math.min(FAILURES_CAP, failed + 1)
end

-- An account's history.

local this_hour, hour_bit, bits_near = nil, 0, 0 -- and its bit among 24, without and with its neighbours

local function set_hour()
  local hour = (now - now % HOUR) / HOUR
  if hour == this_hour then return end
  this_hour, hour_bit = hour, 2 ^ (hour % 24)
  bits_near = 2 ^ ((hour + 23) % 24) + hour_bit + 2 ^ ((hour + 1) % 24)
end

-- The history, packed, and whether a success may earn credit: of the account that was surveyed.
local function recall()
  local history, earns = places * 16384, false
  if place_at then history = history + place_generation % 128 * 128 end
  if knows_browser then history = history + 131072 end
  if summary_at then
    set_hour()
    local count = summary_generation % 128
    history = history + count
    if band((summary_generation - FAILED - count) / 128, bits_near) ~= 0 then history = history + 262144 end
    local age = this_hour - first_hour
    if age >= OLD_HOURS then history = history + 524288 end
    earns = age >= 24 and this_hour - credit_hour >= 24
  end
  return history, earns
end

-- A success more, and the 24 bits beside the count.
local function one_more(count, more)
  return FAILED + (count < COUNT_MAX and count + 1 or COUNT_MAX) + more * 128
end

-- The place that goes for another, if none of them is the operation's.
local function oldest_place(lanes)
  if place_at and places == PLACES_MAX then return nil end
  local oldest, oldest_renewed
  for at = 1, #lanes, lane_bytes do
    local lane = unpack_lane(lanes, at, LANE.n)
    if at ~= place_at and lane.generation >= FAILED and byte(lane.device) == PLACE
      and not (oldest and lane.renewed >= oldest_renewed)
    then
      oldest, oldest_renewed = at, lane.renewed
    end
  end
  return oldest
end

-- The history with one more success: both entries, of the account that was surveyed. Before them the lane of the
-- operation's device, where it has one.
local function learned(earned, lane)
  set_hour()
  local n, hours, first, credit, visits, browsers = 0, 0, this_hour, 0, 0, 0
  if summary_at then
    n, first, credit = summary_generation % 128, first_hour, credit_hour
    hours = (summary_generation - FAILED - n) / 128
  end
  if earned then credit = this_hour end
  if hours % (hour_bit * 2) < hour_bit then hours = hours + hour_bit end
  if place_at then
    visits = place_generation % 128
    browsers = (place_generation - FAILED - visits) / 128
  end
  if place_browser ~= 0 and not has_browser(browsers) then
    browsers = place_browser * 65536 + floor(browsers / 256)
  end
  local renewed = now + HISTORY_KEPT - RENEWAL_KEPT
  local format = HISTORY_FORMATS[LANE.n]
  if not format then
    format = '<' .. rep('BI3I4I4I7' .. rep('x', LANE.n * TAT_BYTES), 2)
    HISTORY_FORMATS[LANE.n] = format
  end
  local history = struct_pack(
    format, SUMMARY, first, credit, one_more(n, hours), renewed,
    PLACE, place_first, place_rest, one_more(visits, browsers), renewed
  )
  return lane and pack_its_lane(lane) .. history or history
end

-- An address's credit.

-- Credit stands beside its address, under the same name but for one letter. A charge looks for it there where it is
-- refused, or its address is failing; a success that earns or gives back credit names it among its keys.
local function open_credit(at_ip)
  local key = keys[at_ip]
  local name = sub(key, 1, -10) .. 'c' .. sub(key, -8)
  local slot = slots[name]
  if not slot then
    slot = #keys + 1
    keys[slot], slots[name] = name, slot
    stored[slot] = call('GET', name) or nil
  end
  return open(slot)
end

local function marks_of(credit)
  local marks = 0
  if (credit[1] or 0) - now >= CREDIT_ONE then marks = CREDIT_MARK end
  if (credit[2] or 0) - now >= SHARED_MIN then marks = marks + SHARED_MARK end
  return marks
end

local function added(tat, more)
  if tat + more < now then return now end
  return tat + more < now + CREDIT_MAX and tat + more or now + CREDIT_MAX
end

local function give_back(place)
  local slot, credit = open(place)
  credit = credit or open_fresh(slot)
  credit[1], credit[2] = added(credit[1] or 0, CREDIT_ONE), credit[2] or 0
  changed[slot] = credit
end

-- The pattern of what an address has that earned some for the first time.
local FIRST_CREDIT = {first = false, first_end = 0}

local function earn(place, account_tag)
  local slot, credit = open(place)
  if not credit then
    local earned = now + EARNED
    if FIRST_CREDIT.first_end ~= earned then
      FIRST_CREDIT.first = struct_pack(PLAIN_FORMATS[2], PLAIN + 2 * 256, 0, generation_now, 1, earned, earned)
      FIRST_CREDIT.first_end = earned
    end
    stored[slot], changed[slot] = FIRST_CREDIT.first .. account_tag, FIRST_CREDIT
    return
  end
  if find(credit.young, account_tag) or find(credit.old, account_tag) then return end
  note(slot, credit, account_tag, ACCOUNTS_CAP)
  credit[1], credit[2] = added(max(now, credit[1] or 0), EARNED), added(max(now, credit[2] or 0), EARNED)
end

-- The first success of a new account.
local function earn_first(place, account_tag)
  local slot, credit = open(place)
  credit = credit or open_fresh(slot)
  if find(credit.young, account_tag) or find(credit.old, account_tag) then return end
  note(slot, credit, account_tag, ACCOUNTS_CAP)
  credit[1], credit[2] = added(max(now, credit[1] or 0), FIRST_EARNED), credit[2] or 0
  changed[slot] = credit
end

-- How long an address has only failed.

local function failing_until(record)
  local n = limits[1].n
  return record and #record == n + 1 and record[n + 1] or 0
end

local function fail_until(record, until_us)
  record[limits[1].n + 1] = until_us > now and until_us or nil
end

local function one_failure_more(until_us)
  local left = max(0, until_us - now)
  return now + math.min(LONGEST_FAILING, left + floor(left / 2) + FIRST_FAILURE)
end

local function one_failure_less(until_us, charged_at)
  local since = max(0, now - charged_at)
  local with_it = max(0, until_us - now) + since
  return now + max(0, floor((with_it - FIRST_FAILURE) * 2 / 3)) - since
end

-- Whether an address that is failing has earned no credit.
local function has_no_credit(at_ip)
  local _, credit = open_credit(at_ip)
  return not credit or marks_of(credit) == 0
end

local function halve_failures(at_ip)
  local slot = slots[keys[at_ip]] or at_ip
  -- Packed, a record has the number of its TATs in its second byte: most addresses have not only failed.
  if not opened[slot] and not (stored[slot] and byte(stored[slot], 2) == limits[1].n + 1) then return end
  local record
  slot, record = open(at_ip)
  local until_us = failing_until(record)
  if until_us > 0 then
    fail_until(record, now + floor(max(0, until_us - now) / 2))
    changed[slot] = record
  end
end

-- Operations.

-- Of one attempt's network family; kept, so that no attempt makes them anew.
local slots_here, records, waits, sizes = {}, {}, {}, {}

local patterned

-- A record that was not there, with its first charge. What the batch's first of a kind becomes is the pattern for the
-- rest, that differ from it by their tag alone.
local function enter_fresh(slot, set, charged, tag, counts_failure)
  local pattern = charged and set or UNLIMITED
  if pattern.first and tag and pattern.counts_failure == counts_failure then
    stored[slot], changed[slot] = pattern.first .. tag, pattern
    return 1
  end
  local record = open_fresh(slot)
  if charged then
    wait_of(record, set)
    set_tats(record, set.spent, set.n)
    if counts_failure then fail_until(record, one_failure_more(0)) end
    record.at = now
    changed[slot] = record
  end
  if not tag then return 0 end
  note(slot, record, tag, ACCOUNTS_CAP)
  if patterned then
    local value, last = encode(record)
    pattern.first, pattern.first_end = sub(value, 1, -TAG_BYTES - 1), last
    pattern.counts_failure = counts_failure
  end
  return 1
end

-- All or none is charged. Whether it refused, whether only for young charges, and what the verdict tells.
local function enter_network(first, facts, account_tag)
  local networks, exempt, refused, young = facts.networks, facts.exempt, false, true
  local n, sets = networks + 2, SETS[networks]
  for i = 1, n do
    local slot, record = open(first + i - 1)
    local wait = record and not exempt and wait_of(record, sets[i]) or 0
    if wait > 0 then
      refused = true
      if now - record.at >= YOUNG_US then young = false end
    end
    slots_here[i], records[i], waits[i] = slot, record, wait
  end
  local charged, tag = not (refused or exempt), facts.account and account_tag
  local network_wait, longest, network_accounts, bits = 0, 0, 0, charged and NETWORK_CHARGED or 0
  local has_place = facts.has_place
  if refused and has_place then
    local slot, credit = open_credit(first + networks)
    if credit then
      local marks = marks_of(credit)
      bits = bits + marks
      if facts.worked and has(marks, CREDIT_MARK) then
        credit[1], changed[slot] = credit[1] - CREDIT_ONE, credit
        refused, young, bits = false, true, bits + CREDIT_CHARGED
        for i = 1, n do waits[i] = 0 end
      end
    end
  end
  if charged then
    local by_ip = sets[n - 1]
    if records[n - 1] then
      if is_last(by_ip) then bits = bits + LAST end
    elseif by_ip.single then
      bits = bits + LAST
    end
  end
  local until_us = failing_until(records[n - 1])
  if until_us - now >= FAILING and has_place and has_no_credit(first + networks) then bits = bits + FAILING_MARK end
  local counts_failure = charged and has_place and facts.secret and limits[1].n < LIMITS_MAX
  for i = 1, n do
    local slot, record, size_here = slots_here[i], records[i], nil
    if refused and is_gone(record) then
      size_here = 0
    elseif record then
      if charged then
        set_tats(record, sets[i].spent, sets[i].n)
        if i == n - 1 then fail_until(record, counts_failure and one_failure_more(until_us) or until_us) end
        record.at = now
        changed[slot] = record
      end
      if tag and record.young ~= tag then note(slot, record, tag, ACCOUNTS_CAP) end
      size_here = (#record.young + #record.old) / TAG_BYTES
    else
      size_here = enter_fresh(slot, sets[i], charged, tag, i == n - 1 and counts_failure)
    end
    sizes[i] = size_here
    if i <= networks then
      if waits[i] > 0 and waits[i] >= network_wait then network_wait, longest = waits[i], i - 1 end
      if size_here > network_accounts then network_accounts = size_here end
    end
  end
  -- Many owners share a provider: how many accounts are tried there says nothing.
  if networks > SITES then network_accounts = math.max(sizes[1], sizes[2]) end
  local ip, device = n - 1, n
  return refused, young, bits + longest * NEXT_NETWORK, waits[ip], network_wait, waits[device],
    sizes[ip], network_accounts, sizes[device]
end

-- The wait, whether it is young, what was charged and tagged, and whether there is no room for more.
local function enter_account(slot, account, facts, refused, ip_tag, pair_tag)
  local wait, bits, last = wait_of(account, ACCOUNTS), 0, false
  local young = wait == 0 or now - account.at < YOUNG_US
  if not refused and wait == 0 then
    local news, before = nil, account.at
    account.at = now
    if account.tried ~= pair_tag then
      account.tried, account.tried_old, news = see(account.tried, account.tried_old, pair_tag, TRIED_CAP)
    end
    if news == ADDED then bits = PAIR_TAGGED end
    if news == ADDED or not facts.secret or now - before < YOUNG_US then -- else it is a repeat
      bits, last = bits + ACCOUNT_CHARGED + FAILURE_CHARGED, is_last(ACCOUNTS)
      set_tats(account, ACCOUNTS.spent, ACCOUNTS.n)
      account.failures = math.min(FAILURES_CAP, account.failures + 1)
    end
    changed[slot] = account
  end
  if account.young ~= ip_tag then note(slot, account, ip_tag, IPS_CAP) end
  return wait, young, bits, last
end

-- The same for a newcomer that shares its bucket's record: that counts, and knows of no failure, address or pair.
local function enter_shared(slot, account, facts, refused)
  local wait, young, bits, last = enter_account(slot, account, facts, refused, NO_TAG, NO_TAG)
  account.failures, account.young, account.old, account.tried, account.tried_old = 0, '', '', '', ''
  for i = 1, #account do
    local last = now + (ACCOUNTS.span[i] or 0) - (ACCOUNTS.interval[i] or 0) + SHARED_WAIT_MAX
    if account[i] > last then account[i] = last end
  end
  if not has(bits, ACCOUNT_CHARGED) then return wait, young, 0, last, 0, 0 end
  return wait, young, ACCOUNT_CHARGED, last, 1, 0
end

-- The same for an account that was not there, in the same way as a fresh record.
local function enter_fresh_account(slot, facts, refused, ip_tag, pair_tag)
  if ACCOUNTS.first and not refused then
    stored[slot], changed[slot] = ACCOUNTS.first .. ip_tag .. pair_tag, ACCOUNTS
    return 0, true, ACCOUNT_CHARGED + FAILURE_CHARGED + PAIR_TAGGED, ACCOUNTS.single, 1, 1
  end
  local account = open_fresh_account(slot)
  local wait, young, bits, last = enter_account(slot, account, facts, refused, ip_tag, pair_tag)
  if patterned and not refused then
    ACCOUNTS.first, ACCOUNTS.first_end = sub(encode_account(account), 1, -2 * TAG_BYTES - 1), ends(account)
  end
  return wait, young, bits, last, account.failures, size(account)
end

-- What a compensation needs to know of the account: of the attempt's own changes, what they replaced.
local function pack_before(account)
  local tried, tried_old, gone = account.tried, account.tried_old, 0
  if is_gone(account) then gone = 1 end
  return struct_pack(
    BEFORE, account.failures, account.at, account.generation, #account, account[1] or 0, account[2] or 0,
    account[3] or 0, account[4] or 0, #tried / TAG_BYTES, #tried_old / TAG_BYTES,
    tried .. tried_old .. rep('\0', TRIED_CAP * TAG_BYTES - #tried - #tried_old), gone
  )
end

local NO_BEFORE

local function charge(first, facts, issued, generation, account_tag, ip_tag, pair_tag, member_tag)
  local is_part, place, slot, account, shares = facts.kind == PART, first, nil, nil, false
  local before = is_part and NO_BEFORE or ''
  if facts.asks_network then place = place + facts.networks + 2 end
  local history, earns = 0, false
  if facts.asks_account then
    slot = account_slot(place)
    account = open_account(slot)
    if account and account.lanes ~= '' and facts.has_place then
      look_at(account)
      history, earns = recall()
    end
    if over_budget and not facts.lane and (byte(pair_tag) + byte(ip_tag)) % OWN_ONE_IN ~= 0 and is_gone(account) then
      slot, shares = shared_slot(place), true
      account = open_account(slot) or open_fresh_account(slot)
    end
    if not account and (is_part or facts.lane) then account = open_fresh_account(slot) end
    if is_part then before = pack_before(account) end
  end

  local lane_wait, spent = 0, false
  if account and facts.lane then
    local entered, failed
    entered, lane_wait, spent, failed = enter_lane(slot, account, generation, issued)
    if entered then
      local charged = LANE_CHARGED + (earns and EARNS_MARK or 0)
      return struct_pack(VERDICT, now, charged, 0, 0, 0, 0, 0, failed, 0, 0, 0, 0, 0, history) .. before
    end
  end

  local refused, young, bits, ip_wait, network_wait, device_wait = false, true, 0, 0, 0, 0
  local ip_accounts, network_accounts, device_accounts = 0, 0, 0
  if facts.asks_network then
    refused, young, bits, ip_wait, network_wait, device_wait, ip_accounts, network_accounts, device_accounts =
      enter_network(first, facts, account_tag)
  end
  if earns then bits = bits + EARNS_MARK end
  -- Spared: an address that many owners share, without credit, and an account with room of its own that is known there,
  -- or is tried all the same. A newcomer's own record is fresh.
  if refused and slot and has(bits, SHARED_MARK) and not has(bits, CREDIT_MARK)
    and (floor(history / 128) % 128 > 0 or facts.tries)
    and (shares or not account or wait_of(account, ACCOUNTS) == 0)
  then
    refused, bits = false, bits + SPARED_MARK
  end

  local account_wait, failures, ips = 0, 0, 0
  if slot and not (refused and is_gone(account)) then
    local account_young, account_bits, last
    if shares then
      account_wait, account_young, account_bits, last, failures, ips = enter_shared(slot, account, facts, refused)
    elseif account then
      account_wait, account_young, account_bits, last = enter_account(slot, account, facts, refused, ip_tag, pair_tag)
      failures, ips = account.failures, size(account)
    else
      account_wait, account_young, account_bits, last, failures, ips =
        enter_fresh_account(slot, facts, refused, ip_tag, pair_tag)
    end
    young, bits = young and account_young, bits + account_bits
    if last and not has(bits, LAST) then bits = bits + LAST end
  end

  local same_secret = 0
  if facts.asks_secret then
    local tag, at, secret = facts.account and member_tag, open(first + facts.keys - 1)
    if secret then
      same_secret = size(secret)
      if tag and secret.young ~= tag and not ((refused or over_budget) and same_secret == 0) then
        if note(at, secret, tag, ACCOUNTS_CAP) == ADDED then bits = bits + MEMBER_TAGGED end
        same_secret = size(secret)
      end
    elseif not (refused or over_budget) then
      same_secret = enter_fresh(at, UNLIMITED, false, tag)
      if tag then bits = bits + MEMBER_TAGGED end
    end
  end

  if young and (refused or account_wait > 0) then bits = bits + YOUNG end
  if spent then bits = bits + SPENT end
  return struct_pack(
    VERDICT, now, bits, ip_wait, network_wait, device_wait, account_wait, lane_wait, failures,
    ip_accounts, network_accounts, device_accounts, ips, same_secret, history
  ) .. before
end

-- The record that an attempt was charged at which counted no failure, opened to be changed.
local function shared_account(place)
  local slot = shared_slot(place)
  local account = open_account(slot) or open_fresh_account(slot)
  changed[slot] = account
  return account
end

local function drop(account, at)
  if at then
    set_lanes(account, without_lane(account.lanes, at), nil)
    look_at(account)
  end
end

-- Takes out what goes for a success: its device's failures; a lane at rest, and the oldest place, where there is no
-- place for its own. Whether there is one for its lane.
local function make_way(account, facts)
  look_at(account)
  local has_place, at_rest = false, nil
  if facts.lane_charged then
    if facts.forgiven and has_failures then drop(account, (find_failures(account.lanes))) end
    has_place, at_rest = place_for(account.lanes, lane_at, false)
    drop(account, at_rest)
  end
  if facts.learns and places >= PLACES_MAX then drop(account, oldest_place(account.lanes)) end
  return has_place
end

-- A success in its device's lane, and in the account's history.
local function succeed(account, facts, charged_at, generation)
  local has_place = make_way(account, facts)
  local count, its_at, its_tats, news = 0, nil, nil, ''
  if has_place then
    local tats = lane_at and lane_tats or {}
    refund(tats, LANE, charged_at)
    if facts.renewed then
      if generation >= lane_generation then lane_generation = generation + 1 end
      lane_renewed = now
    end
    its_at, its_tats = lane_at, tats
    if its_at then count = 1 end
  end
  local summary, place
  if facts.learns then
    summary, place, news = summary_at, place_at, learned(facts.earns, its_tats)
    if summary then count = count + 1 end
    if place then count = count + 1 end
  elseif its_tats then
    news = pack_its_lane(its_tats)
  end
  -- The history ends last if nothing ended later before: no lane ends later for a refund. Else `ends` looks again.
  local ends_last = facts.learns and last_end <= now + HISTORY_KEPT
  local others = beside(account.lanes, count, its_at, summary, place)
  account.lanes = others == '' and news or others .. news
  account.lanes_end = ends_last and now + HISTORY_KEPT or nil
end

local function settle(first, facts, charged_at, generation, account_tag, pair_tag, member_tag)
  local place, networks = first, facts.networks
  if facts.asks_network then
    if facts.network_charged then
      for i = 1, networks + 2 do
        local slot, record = open(first + i - 1)
        record = record or open_fresh(slot)
        local until_us = i == networks + 1 and failing_until(record) or 0
        refund(record, SETS[networks][i], charged_at)
        if until_us > now then fail_until(record, one_failure_less(until_us, charged_at)) end
        changed[slot] = record
      end
    end
    place = place + networks + 2
  end
  if facts.asks_credit then
    if facts.credit_spent then give_back(place + 1) end
    if facts.earns then
      earn(place + 1, account_tag)
      halve_failures(place)
    elseif facts.is_first then
      earn_first(place + 1, account_tag)
    end
    place = place + 2
  end
  if facts.asks_account then
    local slot = account_slot(place)
    local account = open_account(slot) or open_fresh_account(slot)
    if facts.account_charged then
      refund(facts.failure_charged and account or shared_account(place), ACCOUNTS, charged_at)
    end
    if facts.failure_charged and account.failures > 0 then account.failures = account.failures - 1 end
    if facts.proved then account.failures = 0 end
    if facts.lane_charged or facts.learns then succeed(account, facts, charged_at, generation) end
    if not facts.lane_charged and pair_tag ~= NO_TAG then
      account.tried, account.tried_old = without(account.tried, pair_tag), without(account.tried_old, pair_tag)
    end
    if facts.ends then end_devices(account, charged_at) end
    changed[slot] = account
  end
  if facts.asks_secret and member_tag ~= NO_TAG and not facts.lane_charged then
    local slot, secret = open(first + facts.keys - 1)
    if secret then
      secret.young, secret.old = without(secret.young, member_tag), without(secret.old, member_tag)
      changed[slot] = secret
    end
  end
end

local function grow_old(slot, record, charged_at)
  if record and record.at == charged_at then
    record.at = charged_at - YOUNG_US
    changed[slot] = record
  end
end

local function fail(first, facts, charged_at)
  local place, networks = first, facts.networks
  if facts.asks_network then
    if facts.network_charged then
      local slot, record = open(first + networks)
      grow_old(slot, record, charged_at)
    end
    place = place + networks + 2
  end
  if facts.asks_account then
    local slot = account_slot(place)
    local account = open_account(slot)
    if facts.lane_charged then
      account = account or open_fresh_account(slot)
      fail_in_lane(account)
      changed[slot] = account
    elseif facts.failure_charged then
      grow_old(slot, account, charged_at)
    end
  end
end

-- Takes an account's part back, because the network refused the attempt. If nobody has been at the account since, it is
-- again as it was. Else others' charges stand upon this one, and what goes is what surely was this one's alone: what it
-- still weighs, its failure, its pair unless that was known before. The time of the last charge stays, or a pair that
-- is being tried at this moment could be repeated for nothing.
local function compensate(place, facts, charged_at, ip_tag, pair_tag, packed)
  local counted = facts.failure_charged
  local shares = facts.account_charged and not counted
  local slot = shares and shared_slot(place) or account_slot(place)
  local account = open_account(slot) or open_fresh_account(slot)
  local failures, at, generation, n, a, b, c, d, young, old, tags_before, gone = struct_unpack(BEFORE, packed)
  local tried, tried_old = tags(tags_before, 1, young), tags(tags_before, young * TAG_BYTES + 1, old)
  local tried_since, tried_old_since = see(tried, tried_old, pair_tag, TRIED_CAP)
  if shares then tried_since, tried_old_since = tried, tried_old end
  if account.at == charged_at and account.generation == generation
    and account.failures == math.min(FAILURES_CAP, failures + (counted and 1 or 0))
    and account.tried == tried_since and account.tried_old == tried_old_since
  then
    set_tats(account, {a, b, c, d}, n)
    account.failures, account.at = failures, at
    account.tried, account.tried_old = tried, tried_old
    -- A record that was not there is not there again: who is refused leaves none.
    if gone == 1 and account.young == ip_tag and account.old == '' then account.young = '' end
  else
    if facts.account_charged then refund(account, ACCOUNTS, charged_at) end
    if counted then account.failures = max(0, account.failures - 1) end
    if not (find(tried, pair_tag) or find(tried_old, pair_tag)) then
      account.tried, account.tried_old = without(account.tried, pair_tag), without(account.tried_old, pair_tag)
    end
  end
  changed[slot] = account
end

-- By their ends, as text: a batch has few different ones, and redis.call would print all digits of a number.
local lives, deadlines
local server_ahead -- of `now`, in microseconds: not 0 only for tests

local function life_ms(last)
  return ceil((last - now) / 1000)
end

local function life(last)
  local found = lives[last]
  if not found then
    found = string.format('%d', life_ms(last))
    lives[last] = found
  end
  return found
end

-- The same as a time on the server's clock, which Redis would else make of it for its replicas.
local function deadline(last)
  local found = deadlines[last]
  if not found then
    found = string.format('%d', ceil((last + server_ahead) / 1000))
    deadlines[last] = found
  end
  return found
end

-- The head as far as the failures: most accounts have some, and live on for that alone.
local DEAD_UNLESS = '<I2I7I4I2I2'

local function is_dead(value)
  if #value >= ACCOUNT_BYTES[0] then
    local version, at, _, _, failures = struct_unpack(DEAD_UNLESS, value)
    if version % 256 == ACCOUNT and failures > 0 and now < at + kept(failures) then return false end
  end
  return ends(decode_account(value)) <= now
end

-- Takes out who is dead among `count` members of a bucket; how many were.
local function bury(bucket, count)
  local members, found = call('HRANDFIELD', bucket, count, 'WITHVALUES'), 0
  for i = 1, #members, 2 do
    if is_dead(members[i + 1]) then
      call('HDEL', bucket, members[i])
      found = found + 1
    end
  end
  return found
end

local function put_in_bucket(bucket, field, value, last)
  local left_ms, added, needs_ms = call('PTTL', bucket), pcall('HSET', bucket, field, value), life_ms(last)
  if type(added) == 'table' then
    -- Somebody else's value under our name goes. Any other error is raised: memory that is full, a disk that cannot be
    -- written are no reason to forget 63 accounts.
    if find_plain(added.err, 'WRONGTYPE', 1, true) then
      call('DEL', bucket)
      left_ms = -2
    end
    added = call('HSET', bucket, field, value)
  end
  -- Longer than its last member by a sixty-fourth, or each write to a bucket would have to move its end.
  local ends_later = left_ms < needs_ms
  if ends_later then call('PEXPIRE', bucket, life(last + (last - now) / 64)) end
  -- In a bucket that was not there this one is alone.
  if added > 0 and left_ms ~= -2 and (ends_later or byte(field) % LOOKS_ONE_IN == 0)
    and bury(bucket, NEIGHBOUR) > 0
    and bury(bucket, MORE_NEIGHBOURS) >= NEARLY_ALL
  then
    bury(bucket, MOST_NEIGHBOURS)
  end
end

local function write_account(slot)
  local key, was_apart = keys[slot], apart[slot]
  local account, value, last = opened[slot], stored[slot], nil
  if account then
    value, last = encode_account(account), ends(account)
  else
    last = changed[slot].first_end
  end
  -- Written where it goes before it is taken from where it was: full memory allows the one and not the other.
  if last > now and #value <= BUCKETED_MAX then
    put_in_bucket(bucket_of(key), sub(key, -FIELD_BYTES), value, last)
    if was_apart then call('DEL', key) end
    return
  end
  if last == was_apart then
    call('SET', key, value, 'KEEPTTL')
  elseif last > now then
    call('SET', key, value, 'PXAT', deadline(last))
  elseif was_apart then
    call('DEL', key)
  end
  if not was_apart then pcall('HDEL', bucket_of(key), sub(key, -FIELD_BYTES)) end
end

local function write_shared(slot)
  local account = changed[slot]
  put_in_bucket(keys[slot], SHARED, encode_account(account), max(ends(account), now + YOUNG_US))
end

local function write(slot)
  local record, value, last, its_told = opened[slot], stored[slot], nil, told[slot]
  if record then
    value, last = encode(record)
  else
    last = changed[slot].first_end
  end
  if last <= now then -- nothing is left of it
    call('DEL', keys[slot])
  elseif its_told and last <= its_told and its_told - last <= REFUNDED_MAX then
    -- Moving an expiry costs half as much again as the value. Earlier by a failure or two that a success takes back, it
    -- stays.
    call('SET', keys[slot], value, 'KEEPTTL')
  else
    call('SET', keys[slot], value, 'PXAT', deadline(last))
  end
end

local function begin()
  struct_pack, struct_unpack, find_plain, sub = struct.pack, struct.unpack, string.find, string.sub
  floor, ceil, max, byte, rep = math.floor, math.ceil, math.max, string.byte, string.rep
  call, pcall, band = redis.call, redis.pcall, bit.band
  NO_BEFORE = rep('\0', struct.size(BEFORE))
end

local function run(its_keys, its_arguments)
  if not call then begin() end
  keys, arguments = its_keys, its_arguments
  now = tonumber(arguments[2])
  over_budget = now < 0
  if over_budget then now = -now end
  local time = call('TIME')
  local server_now = time[1] * 1000000 + time[2]
  if now < 2 then now = server_now end
  server_ahead = server_now - now
  generation_now, latest = floor(now / GENERATION), now + CLOCK_STEP
  set_limits()
  stored, opened, changed, slots, told = call('MGET', unpack(keys)), room(), room(), {}, {}
  is_account, apart, shared, lives, deadlines = room(), {}, {}, {}, {}
  patterned = #arguments - 2 >= PATTERNS_PAY

  local verdicts, first = {}, 1
  for i = 3, #arguments do
    operation = arguments[i]
    local head, charged_at, generation, account_tag, ip_tag, pair_tag, member_tag = struct_unpack(OPERATION, operation)
    local facts = FACTS[head] or read_head(head)
    local kind = facts.kind
    surveyed, recalls = nil, facts.charges
    if recalls then
      verdicts[#verdicts + 1] =
        charge(first, facts, charged_at, generation, account_tag, ip_tag, pair_tag, member_tag)
    elseif kind == SETTLE then
      settle(first, facts, charged_at, generation, account_tag, pair_tag, member_tag)
    elseif kind == COMPENSATE then
      compensate(first, facts, charged_at, ip_tag, pair_tag, sub(operation, REST_AT))
    else
      fail(first, facts, charged_at)
    end
    first = first + facts.keys
  end

  local to_write = changed
  for slot = 1, #keys do
    if to_write[slot] then
      if is_account[slot] then
        write_account(slot)
      elseif shared[slot] then
        write_shared(slot)
      else
        write(slot)
      end
    end
  end
  return table.concat(verdicts)
end

return run(KEYS, ARGV)
