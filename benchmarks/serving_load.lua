-- What wrk asks: bodies of a file, one a line, over and over; every thread begins at another line.
-- Arguments: the file; requests a second of each thread (0: as soon as the answer before is there); "statuses" to
-- time answers by status, for which every thread must have one connection. The last line printed is JSON.
local ffi = require("ffi")
ffi.cdef [[
typedef struct { long seconds; long microseconds; } moment;
int gettimeofday(moment *now, void *zone);
void *calloc(size_t count, size_t size);
]]
local KINDS = { "2xx", "429", "503", "other" }
local MOST = 30000 -- milliseconds; what takes longer is counted here
local BODIES = 10 -- of each thread when there are many: Lua's memory is small
local clock = ffi.new("moment")
local counts = {} -- of each thread: how many answers of each kind took how many milliseconds

local function now() -- milliseconds
  ffi.C.gettimeofday(clock, nil)
  return tonumber(clock.seconds) * 1000 + tonumber(clock.microseconds) / 1000
end

local function kind_of(status)
  if status >= 200 and status < 300 then
    return 0
  end
  return status == 429 and 1 or status == 503 and 2 or 3
end

-- Threads have no variables in common, and wrk hands no tables from one to another: memory that is not Lua's is shared.
function setup(thread)
  local memory = ffi.cast("int *", ffi.C.calloc(#KINDS * (MOST + 1), ffi.sizeof("int")))
  thread:set("number", #counts)
  thread:set("address", tonumber(ffi.cast("intptr_t", memory)))
  counts[#counts + 1] = memory
end

local function bodies(file, most)
  local requests, line, headers = {}, 0, { ["Content-Type"] = "application/json" }
  for body in io.lines(file) do
    if line >= number % 10 and #requests < most then
      requests[#requests + 1] = wrk.format("POST", nil, headers, body)
    end
    line = line + 1
  end
  return requests
end

function init(args)
  local by_status, rate = args[3] == "statuses", tonumber(args[2])
  local requests = bodies(args[1], by_status and BODIES or math.huge)
  local line, sent = number * 7919, 0
  request = function()
    line, sent = line + 1, now()
    return requests[line % #requests + 1]
  end
  if rate > 0 then
    local due = now() + math.random() * 1000 / rate
    delay = function()
      due = due + 1000 / rate
      return math.max(0, math.floor(due - now()))
    end
  end
  if by_status then
    local mine = ffi.cast("int *", address)
    response = function(status)
      local place = kind_of(status) * (MOST + 1) + math.min(math.max(math.floor(now() - sent), 0), MOST)
      mine[place] = mine[place] + 1
    end
  end
end

local function times_of(kind)
  local pairs_of = {}
  for taken = 0, MOST do
    local count = 0
    for _, memory in ipairs(counts) do
      count = count + memory[(kind - 1) * (MOST + 1) + taken]
    end
    if count > 0 then
      pairs_of[#pairs_of + 1] = string.format("[%d, %d]", taken, count)
    end
  end
  return string.format('"%s": [%s]', KINDS[kind], table.concat(pairs_of, ", "))
end

function done(summary, latency)
  local errors, statuses = summary.errors, {}
  for kind = 1, #KINDS do
    statuses[kind] = times_of(kind)
  end
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p95_ms": %f, "p99_ms": %f, "max_ms": %f, "refused": %d, '
      .. '"lost": %d, "statuses": {%s}}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, table.concat(statuses, ", ")
  ))
end
