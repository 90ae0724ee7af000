-- What wrk.ts reads: requests, microseconds, p50 and p99 in microseconds, answers that were not 2xx, socket errors.
function done(summary, latency)
  local e = summary.errors
  print(string.format("RESULT %d %d %d %d %d %d", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end
