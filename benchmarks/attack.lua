-- What wrk sends: log-in attempts, each from an address, for an account and with a password of its own.
--
-- Arguments: <load> <first>
--   fail     everything distinct, every password wrong: stuffing from a botnet, nothing over any limit
--   success  everything distinct, every password right
--   shed     one address for all of them, so that nearly everything is over the address's limit
--   elsewhere  no attempts at all, but a browser that reads one of 64 other pages
-- `first` numbers the first attempt, so that slices of one run never repeat each other.

local load, n

local HEAD = table.concat({
  "POST /login HTTP/1.1",
  "Host: shop.example",
  "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml",
  "Accept-Language: ja,en;q=0.8",
  "Content-Type: application/x-www-form-urlencoded",
  "X-Forwarded-For: %s",
  "Content-Length: %d",
  "",
  "%s",
}, "\r\n")

local PAGE = table.concat({
  "GET /articles/%d HTTP/1.1",
  "Host: shop.example",
  "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml",
  "Accept-Language: ja,en;q=0.8",
  "X-Forwarded-For: 198.51.100.7",
  "",
  "",
}, "\r\n")

-- 96 * 65536 networks of 256 addresses: a run uses each at most once. The step is coprime to their number, so that
-- neighbours in time are no neighbours in space.
local NETWORKS, STEP = 6291456, 1000003

local function address(i)
  local network = (i * STEP) % NETWORKS
  return string.format("%d.%d.%d.%d",
    128 + math.floor(network / 65536), math.floor(network / 256) % 256, network % 256, 1 + i % 250)
end

function init(args)
  load, n = args[1], tonumber(args[2])
end

function request()
  n = n + 1
  if load == "elsewhere" then return string.format(PAGE, n % 64) end
  local from = load == "shed" and "198.51.100.7" or address(n)
  local password = load == "success" and "right" or "wrong"
  local body = string.format("username=user%07d%%40mail.example&password=%s%07d", n, password, n)
  return string.format(HEAD, from, #body, body)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.timeout))
end
