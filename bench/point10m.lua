-- wrk script of point10m.py: equality on a random key of POINT_KEYS in the source POINT_SOURCE.
local keys = tonumber(os.getenv("POINT_KEYS"))
local source = os.getenv("POINT_SOURCE")

function init(args)
  math.randomseed(tonumber(tostring({}):match("0x(%x+)"), 16) % 2147483647)
end

function request()
  local body = '{"source_ids":["' .. source .. '"],"filters":{"key":{"eq":' .. math.random(0, keys - 1) .. '}}}'
  return wrk.format("POST", "/data/search", {["Content-Type"] = "application/json"}, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"rate":%.0f,"p50":%.0f,"p99":%.0f,"requests":%d,"errors":%d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99),
    summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
