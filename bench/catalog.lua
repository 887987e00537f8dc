-- wrk script for the catalog. CATALOG_DO=write creates assets with names of their own;
-- CATALOG_DO=read gets assets whose ids stand in the file CATALOG_IDS, one a line;
-- CATALOG_DO=search asks for lists by two words, ranked and facets for /search without and with
-- facets; CATALOG_DO=list for filtered pages of 20.
local what = os.getenv("CATALOG_DO")
local ids, at, run = {}, 0, os.getenv("CATALOG_RUN") or "0"
if what == "read" then
  for line in io.lines(os.getenv("CATALOG_IDS")) do
    ids[#ids + 1] = line
  end
end
local words = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"}

function setup(thread)
  thread_count = (thread_count or 0) + 1
  thread:set("thread_id", thread_count)
end

function init(args)
  math.randomseed(thread_id * 7919 + tonumber(run))
end

function request()
  at = at + 1
  if what == "read" then
    return wrk.format("GET", "/assets/" .. ids[math.random(#ids)])
  elseif what == "search" then
    return wrk.format("GET", "/assets?limit=20&q=" .. words[math.random(10)] .. "+n" .. math.random(1000))
  elseif what == "ranked" or what == "facets" then
    return wrk.format("GET", "/search?limit=20&facets=" .. tostring(what == "facets") .. "&q=" ..
      words[math.random(10)] .. "+n" .. math.random(1000))
  elseif what == "list" then
    return wrk.format("GET", "/assets?kind=graph&limit=20&tags=t" .. math.random(500))
  end
  local body = string.format(
    '{"kind":"graph","name":"g-%s-%d-%d","namespace":"hypergraph","description":"%s %s n%d","tags":["t%d","x"],' ..
    '"properties":{"format":"parquet","engine":"own","number":%d}}',
    run, thread_id, at, words[math.random(10)], words[math.random(10)], math.random(1000), math.random(500), at)
  return wrk.format("POST", "/assets", {["Content-Type"] = "application/json"}, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"requests_per_s":%.0f,"p50_us":%.0f,"p95_us":%.0f,"p99_us":%.0f,"errors":%d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(95),
    latency:percentile(99), errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
