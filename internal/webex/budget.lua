-- Reserves one request in the budget of the fleet (GCRA). All times are in
-- microseconds of this Redis, all keys carry one hash tag.
--   KEYS  1 main   2 background lane   3 caller, or main again without one   4 pause of the family
--   ARGV  1 interval   2 burst (requests)   3 lane interval
--         4 caller interval, 0 without   5 caller burst   6 1 for background
--         7 the longest wait that is worth it   8 the longest wait for the end of a pause
-- Answers {what, wait}:
--   0 send after wait: the place is reserved
--   1 ask again after wait: nothing is reserved
--   2 give up, the place would come after wait: nothing is reserved
--   3 give up, Webex has throttled this family for another wait
--   4 ask again after wait, without the caller: the caller's own place is reserved
local t = redis.call("TIME")
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local interval, burst, lane_interval = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local caller_interval, caller_burst = tonumber(ARGV[4]), tonumber(ARGV[5])
local background, longest, longest_pause = ARGV[6] == "1", tonumber(ARGV[7]), tonumber(ARGV[8])

local function get(key) return tonumber(redis.call("GET", key) or "0") end
local function set(key, at)
  redis.call("SET", key, string.format("%.0f", at), "PX", math.ceil((at - now) / 1000) + 1000)
end

local paused = get(KEYS[4]) - now
if paused > 0 then
  if paused <= longest_pause and paused <= longest then return {1, paused} end
  return {3, paused}
end

local tat = math.max(get(KEYS[1]), now) -- the time at which the bucket is full again
local wait = math.max(tat - (burst - 1) * interval - now, 0)
local lane

if background then
  -- More than half of the bucket, or the lane of background work.
  local half = tat - math.floor(burst / 2) * interval - now
  if half > 0 then
    lane = get(KEYS[2])
    if lane > now then
      local hint = math.min(half, lane - now)
      if hint > longest then return {2, hint} end
      return {1, hint}
    end
  end
end
if wait > longest then return {2, wait} end

if caller_interval > 0 then
  -- A caller over the share waits for it first and asks for a place of the main
  -- bucket then, so that the wait holds up nobody else.
  local caller = math.max(get(KEYS[3]), now)
  local own = caller - (caller_burst - 1) * caller_interval - now
  if own > longest then return {2, own} end
  set(KEYS[3], caller + caller_interval)
  if own > 0 then return {4, own} end
end

if lane then set(KEYS[2], now + lane_interval) end
set(KEYS[1], tat + interval)
return {0, wait}
