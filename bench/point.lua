-- wrk script: point searches over an indexed column; one path a line in the file POINT_PATHS.
local paths = {}
for line in io.lines(os.getenv("POINT_PATHS")) do
  paths[#paths + 1] = line
end
local at = 0

function init(args)
  math.randomseed(tonumber(tostring({}):match("0x(%x+)"), 16) % 2147483647)
  at = math.random(#paths)
end

function request()
  at = at % #paths + 1
  local body = '{"source_ids":["files"],"limit":10,"filters":{"path":{"eq":"' .. paths[at] .. '"}}}'
  return wrk.format("POST", "/data/search", {["Content-Type"] = "application/json"}, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"requests_per_s":%.0f,"p50_us":%.0f,"p99_us":%.0f,"errors":%d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
