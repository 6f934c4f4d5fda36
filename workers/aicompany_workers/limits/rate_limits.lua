-- The rules of aicompany.resilience.rate_limits, carried out by the server in one step.
--
-- KEYS[1]  hash: the limits of one model
-- KEYS[2]  sorted set: who asked of late, by time
-- ARGV[1]  JSON: the act, its amounts, and how to begin when nothing is kept
-- Returns JSON: the turn, and the limits after it.
local asked = cjson.decode(ARGV[1])
local MEASURES = {'requests', 'input_tokens', 'output_tokens'}

local function clock()
  if asked.now then return asked.now end -- replayed
  local time = redis.call('TIME')
  return time[1] + time[2] / 1000000
end

local now = clock()
local limits, levels, told = {}, {}, {}
local paused, mean, start -- paused: seconds that are left of a pause

local function full(limit) return limit * (1 - asked.margin) end

local function read()
  local kept, fields = redis.call('HGETALL', KEYS[1]), {}
  for i = 1, #kept, 2 do fields[kept[i]] = tonumber(kept[i + 1]) end
  local at
  if #kept == 0 then
    local seed = asked.seed
    at, paused, mean, start = now, seed.paused_seconds, seed.mean, seed.start
    for measure, limit in pairs(seed.told) do fields[measure .. ':told'] = limit end
    for measure, level in pairs(seed.levels) do fields[measure .. ':level'] = level end
  else
    at, paused, mean, start = fields.at, fields.paused, fields.mean, fields.start
  end
  -- Everything is kept relative to when it was written, so that a clock set back delays nothing.
  local elapsed = math.max(0, now - at)
  paused = math.max(0, paused - elapsed)
  for _, measure in ipairs(MEASURES) do
    told[measure] = fields[measure .. ':told']
    local limit = told[measure] or asked.wished[measure]
    if limit and asked.wished[measure] then limit = math.min(limit, asked.wished[measure]) end
    if limit then
      limits[measure] = limit
      local level = fields[measure .. ':level'] or full(limit)
      levels[measure] = math.min(full(limit), level + elapsed * limit / asked.period)
    end
  end
  if start then start = math.min(asked.start_calls, start + elapsed * asked.start_rate) end
end

local function write()
  local function text(number) return string.format('%.17g', number) end
  local fields = {'at', text(now), 'paused', text(paused), 'mean', text(mean)}
  local function set(name, value)
    if value then
      fields[#fields + 1] = name
      fields[#fields + 1] = text(value)
    end
  end
  set('start', start)
  for _, measure in ipairs(MEASURES) do
    set(measure .. ':told', told[measure])
    set(measure .. ':level', levels[measure])
  end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('PEXPIRE', KEYS[1], asked.kept_ms)
end

local function reserve()
  local wanted = {
    requests = 1, input_tokens = asked.input_tokens, output_tokens = math.min(asked.output_tokens_max, mean),
  }
  local wait, counted = paused, {}
  for measure, limit in pairs(limits) do
    local missing = math.min(wanted[measure], full(limit)) - levels[measure]
    wait = math.max(wait, missing / (limit / asked.period))
  end
  if start then wait = math.max(wait, (math.min(1, asked.start_calls) - start) / asked.start_rate) end
  if wait > asked.wait_seconds_max then return {granted = false, wait = wait} end
  for measure in pairs(limits) do
    levels[measure] = levels[measure] - wanted[measure]
    counted[#counted + 1] = measure
  end
  if start then start = start - 1 end
  return {granted = true, wait = wait, reserved = wanted, counted = counted}
end

local function settle()
  local counted = {}
  for _, measure in ipairs(asked.counted) do counted[measure] = true end
  for measure, limit in pairs(limits) do
    local used = asked.used[measure]
    if counted[measure] then
      levels[measure] = math.min(full(limit), levels[measure] + asked.reserved[measure] - used)
    elseif measure == 'output_tokens' then
      levels[measure] = math.min(full(limit), levels[measure] - used)
    end
  end
  if asked.used.output_tokens > 0 then
    mean = mean + asked.mean_weight * (asked.used.output_tokens - mean)
  end
  if asked.used.requests > 0 then start = nil end
  for measure, window in pairs(asked.told) do
    local limit = math.min(window.limit, asked.wished[measure] or window.limit)
    local level = math.min(levels[measure] or full(limit), full(limit))
    told[measure], limits[measure], levels[measure] = window.limit, limit, math.min(level, window.level)
    start = nil
  end
  if asked.pause_seconds then
    paused = math.max(paused, asked.pause_seconds)
    if next(limits) == nil then start = asked.start_calls end
  end
  return {}
end

local function callers()
  if asked.caller then
    redis.call('ZADD', KEYS[2], now, asked.caller)
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - asked.caller_seconds)
    redis.call('PEXPIRE', KEYS[2], asked.kept_ms)
  end
  return redis.call('ZCARD', KEYS[2])
end

read()
local answer = asked.act == 'reserve' and reserve() or asked.act == 'settle' and settle() or {}
if asked.act ~= 'look' then write() end
answer.limits, answer.levels, answer.told, answer.mean, answer.start = limits, levels, told, mean, start
answer.paused_seconds = paused
answer.callers = callers()
return cjson.encode(answer)
