-- Each request asks for one of the first N apps at random: `wrk -s random_apps.lua URL -- N`.
local requests = {}

function init(arguments)
  for app = 0, tonumber(arguments[1]) - 1 do
    requests[app + 1] = wrk.format("GET", string.format("/app-%04d/", app))
  end
end

function request()
  return requests[math.random(#requests)]
end

