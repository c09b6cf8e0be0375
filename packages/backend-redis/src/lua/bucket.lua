--[[
  Executes calls on buckets of one policy in order: takes, charges, refunds, blocks, resets and leases. docs/state.md describes what is
  stored.

  KEYS[i]  the bucket of the i-th call; a bucket may appear several times
  ARGV[1]  the first of two arguments for each call, an amount and what to do with it:
             1 or more  take the amount this many times, or as often as it fits; an amount of 0 only peeks
             -1         charge the amount, down to a debt of one burst, or refund it if it is negative
             -2         block the key for this many milliseconds
             -3         delete the bucket
             -4         lease tokens. Here the amount is a list, tokens:horizon:validity:name|generation:held:unspent|...: how many tokens
                        to grant, from how many ms in advance and for how many ms; the name of a generation, a number, if one has to be
                        started; then the tokens that are handed back to each generation, and how many of them were not spent
  ARGV[..] four arguments for each limit: full (units in a whole bucket), its fingerprint, r (units that drain per millisecond) and
           p (units per unit of the amount); then the milliseconds of a block, if the policy blocks keys
           The short form, for a single take from one limit without blocks: amount in units, full, fingerprint, and r unless it is 1

  Returns one of these for each call, as a list if there are several KEYS:
    the units in use of the only limit, if the amount was taken every time; -1 minus these units, if it was never taken
    {how often it was taken, milliseconds that the key stays blocked, units in use of each limit} for any other take
    {whole amounts that the debt had room for, milliseconds that the key stays blocked, units in use of each limit} for a charge or refund
    {tokens granted, milliseconds that the key stays blocked, their generation, units in use of each limit before the grant, those of them
    that were held} for a lease
    0 for a block or a reset
    "wrongType", "neverExpires" or "notOurs" for a key that does not hold a bucket

  Numbers for redis.call are formatted with string.format, because Lua itself writes only 14 digits. `+ 0` converts a string to a number
  in half the time of tonumber.
]]
local short = #ARGV <= 4

if short then
  -- The fast path for nearly every call: one take from one limit whose bucket is absent or holds only that limit.
  local key, amount, full, fingerprint, r = KEYS[1], ARGV[1] + 0, ARGV[2] + 0, ARGV[3], (ARGV[4] or 1) + 0
  local before = redis.pcall('GET', key)
  local slack = (not before or before == fingerprint) and 0
  if not slack and r > 1 and type(before) == 'string' and #before <= 16 and string.find(before, '^%d+$') then
    slack = math.floor(before / 4294967296)
    if before - slack * 4294967296 ~= fingerprint + 0 then slack = false end
  end
  if slack then
    local used, clamped = 0, false
    if before then
      local ahead = redis.call('PTTL', key)
      if ahead == -1 then return 'neverExpires' end
      if ahead > 0 then
        used = ahead * r
        if slack < r then used = used - slack end
        if used > 2 * full then used, clamped = 2 * full, true end
      end
    end
    local allowed = used + amount <= full
    if allowed then used = used + amount end
    if amount > 0 and allowed or clamped then
      local ahead = math.ceil(used / r)
      local value = fingerprint
      slack = ahead * r - used
      if slack >= 1048576 then
        value = string.format('2|%s:0:%.0f', fingerprint, slack)
      elseif slack > 0 then
        value = string.format('%.0f', slack * 4294967296 + fingerprint)
      end
      local ms = string.format(ahead < 2147483648 and '%d' or '%.0f', ahead)
      if value ~= before or redis.call('PEXPIRE', key, ms) == 0 then redis.call('SET', key, value, 'PX', ms) end
    end
    return allowed and used or -1 - used
  end
end

-- For any other call, policy or bucket: read every entry, decide, and write every entry.
local first = short and 2 or 2 * #KEYS + 1
local limits = short and 1 or math.floor((#ARGV - first + 1) / 4)
local blockMs = not short and #ARGV - first + 1 > 4 * limits and ARGV[#ARGV] + 0 or 0
-- Four values for each limit, in the same order as in ARGV.
local policy = {unpack(ARGV, first, first + 4 * limits - 1)}
for n = 1, 4 * limits, 4 do
  policy[n], policy[n + 2], policy[n + 3] = policy[n] + 0, (policy[n + 2] or 1) + 0, (policy[n + 3] or 1) + 0
end

local used = {false, false} -- units in use of each limit
local foreign = {} -- entries of other policies, three values for each: fingerprint, milliseconds until its bucket is full, slack
local holds = {} -- holds of these limits, four values for each: which limit, generation, milliseconds until it ends, units
local kept = {} -- holds of other limits, three values for each: name, milliseconds until it ends, units
local floor = {} -- units of each limit that do not drain, because leases hold them
local replies = {}

for i = 1, #KEYS do
  local key, amount, times = KEYS[i], ARGV[short and 1 or 2 * i - 1], short and 1 or ARGV[2 * i] + 0
  if times ~= -4 then amount = amount + 0 end
  local ownLimits = times == -2 and 0 or limits -- a block leaves every entry as it is
  local before = redis.pcall('GET', key)
  local fault
  if type(before) == 'table' then
    if not string.find(before.err, '^WRONGTYPE') then return before end
    fault, before = 'wrongType', false
  end

  -- Milliseconds until the bucket is full, until its block ends and until the slowest foreign entry is full; length of `foreign` in use.
  local longest, blocked, owed, others = 0, 0, 0, 0
  local holding, keeping, clamped = 0, 0, false -- lengths of `holds` and `kept` in use; whether something is cut down and has to be stored
  for n = 1, limits do used[n], floor[n] = false, 0 end
  if before then
    longest = redis.call('PTTL', key)
    if longest == -1 then fault = 'neverExpires' end
    local last = string.find(before, '^2|') or 0
    if last == 0 and not (#before <= 16 and string.find(before, '^%d+$')) then fault = 'notOurs' end
    -- A key that has expired since the GET counts as absent.
    while longest > 0 and not fault and last < #before do
      local entry, distance, slack = before, 0, 0
      if last > 0 then
        local _, stop
        _, stop, entry, distance, slack = string.find(before, '^|(%w+):(%d+):(%d+)', last + 1)
        if not stop or #distance > 16 or #slack > 16 then
          fault = 'notOurs'
          break
        end
        last, slack = stop, slack + 0
      else
        last = #before
        if entry ~= policy[2] then
          slack = math.floor(before / 4294967296)
          if slack > 0 then entry = string.format('%.0f', before - slack * 4294967296) end
        end
      end

      local ahead, isForeign = longest - distance, true
      for n = 1, ownLimits do
        if policy[4 * n - 2] == entry then
          local r = policy[4 * n - 1]
          used[n], isForeign = ahead > 0 and ahead * r - (slack < r and slack or 0) or 0, false
          break
        end
      end
      local holder, generation
      if isForeign then holder, generation = string.match(entry, '^(%d+)h(%d+)$') end
      if entry == 'b' then
        blocked = math.max(0, ahead)
      elseif holder then
        local limit
        for n = 1, ownLimits do
          if policy[4 * n - 2] == holder then limit = n end
        end
        if limit then
          -- No lease lasts longer, so the clock of the server has stepped back.
          local most = math.ceil(policy[4 * limit - 3] / policy[4 * limit - 1])
          if ahead > most then ahead, clamped = most, true end
          holds[holding + 1], holds[holding + 2], holds[holding + 3], holds[holding + 4] = limit, generation, ahead, slack
          holding = holding + 4
        elseif ahead > -86400000 then
          kept[keeping + 1], kept[keeping + 2], kept[keeping + 3] = entry, ahead, slack
          keeping = keeping + 3
        end
      elseif isForeign and ahead > -86400000 then
        -- Kept for a day after it has drained, so that a client returning at its retryAfter does not inherit from others again.
        foreign[others + 1], foreign[others + 2], foreign[others + 3] = entry, ahead, slack
        others = others + 3
        if ahead > owed then owed = ahead end
      end
    end
  end

  local reply
  if times == -3 then
    redis.call('DEL', key)
    reply = 0
  elseif fault then
    reply = fault
  else
    -- What a hold kept from draining is still in use while it lasts, and drains from its end.
    for h = 1, holding, 4 do
      local n, ahead, units = holds[h], holds[h + 2], 0
      for other = 1, holding, 4 do
        if holds[other] == n and holds[other + 2] >= ahead then units = units + holds[other + 3] end
      end
      if ahead > 0 then floor[n] = math.max(floor[n], units) end
      used[n] = math.max(used[n] or 0, units + math.min(0, ahead) * policy[4 * n - 1])
    end

    -- A limit without an entry inherits what the foreign entries owe, up to an empty bucket.
    local inherits = false
    for n = 1, ownLimits do
      local full = policy[4 * n - 3]
      if not used[n] then
        used[n] = 0
        if owed > 0 then used[n], inherits = math.min(full, owed * policy[4 * n - 1]), true end
      elseif used[n] > 2 * full then
        used[n], clamped = 2 * full, true
      end
    end

    -- A refusal or a peek writes only what would otherwise make its retryAfter wrong.
    local writes = true
    if times > 0 then
      local taken = blocked > 0 and amount > 0 and 0 or times
      for n = 1, limits do
        local full, units = policy[4 * n - 3], amount * policy[4 * n]
        if used[n] + units * taken > full then
          taken = units > 0 and math.max(0, math.floor((full - used[n]) / units)) or 0
        end
      end
      if taken > 0 then
        for n = 1, limits do used[n] = used[n] + taken * amount * policy[4 * n] end
      end
      writes = amount > 0 and taken > 0 or inherits or clamped
      if amount > 0 and taken < times and blockMs > 0 and blocked == 0 then blocked, writes = blockMs, true end
      if limits == 1 and blocked == 0 and (taken == 0 or taken == times) then
        reply = taken > 0 and used[1] or -1 - used[1]
      else
        reply = {taken, blocked, unpack(used, 1, limits)}
      end
    elseif times == -1 then
      local room = math.huge
      for n = 1, limits do
        local most, p = 2 * policy[4 * n - 3], policy[4 * n]
        room = math.min(room, math.floor((most - used[n]) / p))
        used[n] = math.min(most, math.max(floor[n], used[n] + math.min(most, math.max(-most, amount * p))))
      end
      reply = {room, blocked, unpack(used, 1, limits)}
    elseif times == -4 then
      -- What is handed back to a generation that has ended is ignored, because it has begun to drain.
      local returned = false
      for generation, held, unspent in string.gmatch(amount, '|(%d+):(%d+):(%d+)') do
        for h = 1, holding, 4 do
          if holds[h + 1] == generation and holds[h + 2] > 0 then
            local n = holds[h]
            local p, units = policy[4 * n], holds[h + 3]
            holds[h + 3] = math.max(0, units - held * p)
            floor[n], returned = floor[n] - units + holds[h + 3], true
            used[n] = math.max(floor[n], used[n] - unspent * p)
          end
        end
      end

      local granted, horizon, validity, name = string.match(amount, '^(%d+):(%d+):(%d+):(%d+)')
      granted = blocked > 0 and 0 or granted + 0
      for n = 1, limits do
        local room = policy[4 * n - 3] + horizon * policy[4 * n - 1] - used[n]
        granted = math.max(0, math.min(granted, math.floor(room / policy[4 * n])))
      end
      reply = {granted, blocked, 0, unpack(used, 1, limits)}
      for n = 1, limits do reply[3 + limits + n] = floor[n] end

      if granted > 0 then
        -- The lease joins the newest generation if that lasts long enough.
        local generation, ends = name, math.ceil(1.5 * validity)
        local newest = validity + 0
        for h = 1, holding, 4 do
          if holds[h + 2] >= newest then generation, newest, ends = holds[h + 1], holds[h + 2], holds[h + 2] end
        end
        for n = 1, limits do
          local units, at = granted * policy[4 * n], holding + 1
          for h = 1, holding, 4 do
            if holds[h] == n and holds[h + 1] == generation then at = h end
          end
          if at > holding then
            holds[at], holds[at + 1], holds[at + 2], holds[at + 3] = n, generation, ends, 0
            holding = holding + 4
          end
          holds[at + 3] = holds[at + 3] + units
          used[n], floor[n] = used[n] + units, floor[n] + units
        end
        reply[3] = generation + 0
      end
      writes = granted > 0 or returned or inherits or clamped
    else
      blocked, reply = math.max(blocked, amount), 0
    end

    if writes then
      while ownLimits > 0 and others > 24 do
        local nearest = 1
        for n = 4, others, 3 do
          if foreign[n + 1] <= foreign[nearest + 1] then nearest = n end
        end
        for n = nearest, others - 3 do foreign[n] = foreign[n + 3] end
        others = others - 3
      end
      -- A hold of another policy's limit says nothing about its rate, so the key keeps its time to live.
      longest = keeping > 0 and math.max(blocked, longest) or blocked
      for n = 1, ownLimits do
        local own = math.ceil(used[n] / policy[4 * n - 1])
        if own > longest then longest = own end
      end
      for n = 1, others, 3 do
        if foreign[n + 1] > longest then longest = foreign[n + 1] end
      end
      local held = ''
      if holding > 0 then
        for h = 1, holding, 4 do
          if holds[h + 2] > 0 and holds[h + 3] > 0 then
            longest = math.max(longest, holds[h + 2] + math.ceil(floor[holds[h]] / policy[4 * holds[h] - 1]))
          end
        end
        for h = 1, holding, 4 do
          if holds[h + 2] > 0 and holds[h + 3] > 0 then
            held = string.format('%s|%sh%s:%.0f:%.0f', held, policy[4 * holds[h] - 2], holds[h + 1], longest - holds[h + 2], holds[h + 3])
          end
        end
      end

      if longest <= 0 then
        redis.call('DEL', key)
      else
        local value
        if limits == 1 and ownLimits == 1 and others == 0 and blocked == 0 and keeping == 0 and held == '' then
          local slack = longest * policy[3] - used[1]
          if slack == 0 then
            value = policy[2]
          elseif slack < 1048576 then
            value = string.format('%.0f', slack * 4294967296 + policy[2])
          end
        end
        if not value then
          value = '2'
          for n = 1, ownLimits do
            local r = policy[4 * n - 1]
            local own = math.ceil(used[n] / r)
            if own > 0 or others > 0 then
              value = string.format('%s|%s:%.0f:%.0f', value, policy[4 * n - 2], longest - own, own * r - used[n])
            end
          end
          for n = 1, others, 3 do
            value = string.format('%s|%s:%.0f:%.0f', value, foreign[n], longest - foreign[n + 1], foreign[n + 2])
          end
          value = string.format('%s%s', value, held)
          for n = 1, keeping, 3 do
            value = string.format('%s|%s:%.0f:%.0f', value, kept[n], longest - kept[n + 1], kept[n + 2])
          end
          if blocked > 0 then value = string.format('%s|b:%.0f:0', value, longest - blocked) end
        end
        local ms = string.format(longest < 2147483648 and '%d' or '%.0f', longest)
        if value ~= before or redis.call('PEXPIRE', key, ms) == 0 then redis.call('SET', key, value, 'PX', ms) end
      end
    end
  end
  replies[i] = reply
end
if #KEYS == 1 then return replies[1] end
return replies
