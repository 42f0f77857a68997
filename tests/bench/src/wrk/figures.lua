-- Prints what wrk measured as one line of JSON, in microseconds. Nothing here runs per request.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'figures {"requests": %d, "time": %d, "p50": %d, "p99": %d, "p999": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
