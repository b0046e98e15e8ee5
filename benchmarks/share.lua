-- What wrk sends where some of it is refused: attempts as in attack.lua, of which a share comes from one address.
--
-- Arguments: <share, 0 to 1, of attempts from the one address> <first>

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
dofile(folder .. "attack.lua")

local distinct, shed = "fail", "shed"
local plain_init, plain_request = init, request
local share, n, owed = 0, 0, 0

function init(args)
  share, n = tonumber(args[1]), tonumber(args[2])
end

function request()
  owed = owed + share
  if owed >= 1 then
    owed = owed - 1
    plain_init({shed, n})
  else
    plain_init({distinct, n})
  end
  n = n + 1
  return plain_request()
end
