/**
 * The Lua that runs in Redis: one call is one script, so it is atomic per key. docs/state.md describes what it stores.
 *
 * Time is the key's own: `PTTL` says in how many ms the bucket is full, `PEXPIRE` or `SET … PX` when it will be, and a key that is absent
 * is a full bucket. Redis 7.2 and Valkey stop the clock inside a script. Before, a millisecond may pass between the two, and then the
 * bucket is full a millisecond later: less is admitted, never more.
 *
 * A number that goes to `redis.call` is written by `%.0f`, for Lua's own way ends at 14 digits; an expiry of less than 2^31 ms (24 days)
 * by `%d`, which writes the same, faster. The reply is integers only. `+ 0` makes a number of an argument for half the price of `tonumber`.
 */
import { createHash } from "node:crypto";

/** How the scripts tell the time, in Lua. The tests stop the clock here and run all else as it is. */
export interface ScriptClock {
  /** An expression: the ms until `key` expires; -1 where it never does. */
  readonly read: string;
  /** Statements that set `key`, which holds `before`, to `value` until `ahead` ms from now. */
  readonly write: string;
}

/** The clock of Redis. */
export const expiryClock: ScriptClock = {
  read: "redis.call('PTTL', key)",
  // Most buckets keep their value, and Redis moves an expiry in half the time of SET. A key that has just expired is not there to be moved.
  write: `\
local ms = string.format(ahead < 2147483648 and '%d' or '%.0f', ahead)
if value ~= before or redis.call('PEXPIRE', key, ms) == 0 then redis.call('SET', key, value, 'PX', ms) end`,
};

/** A script, and the name by which Redis remembers it. */
export interface Script {
  readonly lua: string;
  readonly sha1: string;
}

export interface Scripts {
  /** Nearly every call: takes from a policy of one limit. */
  readonly takeOne: Script;
  /** The same for many keys at once, each as often as it was asked for. */
  readonly takeMany: Script;
  readonly take: Script;
  readonly adjust: Script;
}

/** What the error replies of the scripts begin with, where the key holds something that is not ours. */
export const keyErrorPrefix = "RATELIMIT ";

export function scriptsWith(clock: ScriptClock): Scripts {
  return { takeOne: script(takeOne(clock)), takeMany: script(takeMany(clock)), take: script(take(clock)), adjust: script(adjust(clock)) };
}

function script(lua: string): Script {
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}

const neverExpires = `redis.error_reply('${keyErrorPrefix}the key has no expiry')`;
const notOurs = `redis.error_reply('${keyErrorPrefix}the value is not a bucket')`;

/** What `takeMany` returns for a key in place of an error, which would be that of its neighbours too. */
export const keyFaults = ["wrongType", "neverExpires", "notOurs", "several"] as const;
export type KeyFault = (typeof keyFaults)[number];

function takeOne({ read, write }: ScriptClock): string {
  return `\
--[[
  Takes from the bucket of a policy of one limit, or refuses; a refusal writes only where more was in use than can be.

  KEYS[1]  the bucket
  ARGV[1]  units to take; 0 only looks
  ARGV[2]  full: units in a whole bucket
  ARGV[3]  r: units that drain in a millisecond; 1 where it is left out

  Returns the units in use if they were taken, -1 less the units in use if refused,
  nil where a policy of several limits wrote the bucket: the script for several can read it.
]]
local key = KEYS[1]
local units, full, r = ARGV[1] + 0, ARGV[2] + 0, (ARGV[3] or 1) + 0
${readOne(read, "redis.call('GET', key)", { neverExpires, notOurs, several: "false" })}
local allowed = used + units <= full
if allowed then used = used + units end
if units > 0 and (allowed or clamped) then
  local ahead = math.ceil(used / r)
  ${writeSlack}
  ${indent(write)}
end
return allowed and used or -1 - used
`;
}

function takeMany({ read, write }: ScriptClock): string {
  const faults = Object.fromEntries(keyFaults.map((fault) => [fault, `'${fault}'`])) as Record<KeyFault, string>;
  return `\
--[[
  Takes from many buckets of one policy of one limit, as the script for one does; a fault of one key leaves the others alone.

  KEYS[1]…  the buckets; one may come again, and finds what was left by then
  ARGV[1]… of each key two: units to take each time (0 only looks), and how many times
  then     full: units in a whole bucket
  then     r: units that drain in a millisecond; 1 where it is left out

  Returns of each key the units in use if they were taken each time, -1 less the units in use if never,
  {units in use, times} if they were taken some of the times, or the name of a fault.
]]
local full, r = ARGV[2 * #KEYS + 1] + 0, (ARGV[2 * #KEYS + 2] or 1) + 0

local function take(key, units, times)
  ${indent(readOne(read, "redis.pcall('GET', key)", faults))}
  local taken = times
  if used + units * times > full then taken = units > 0 and math.max(0, math.floor((full - used) / units)) or 0 end
  used = used + taken * units
  if units > 0 and (taken > 0 or clamped) then
    local ahead = math.ceil(used / r)
    ${writeSlack}
    ${indent(indent(write))}
  end
  if taken == times then return used end
  return taken == 0 and -1 - used or {used, taken}
end

local reply = {}
for i, key in ipairs(KEYS) do
  reply[i] = take(key, ARGV[2 * i - 1] + 0, ARGV[2 * i] + 0)
end
return reply
`;
}

/** Lua that works out the value of a bucket that is full in `ahead` ms; most have no slack. */
const writeSlack = "local value = ahead * r == used and '0' or string.format('%.0f', ahead * r - used)";

/** Lua that reads a bucket of one limit: what it holds as `before`, the units in `used`, and whether they were `clamped`; what is no such bucket is returned. */
function readOne(
  read: string,
  get: string,
  faults: { neverExpires: string; notOurs: string; several: string; wrongType?: string },
): string {
  return `\
local used, clamped = 0, false
local before = ${get}
${faults.wrongType === undefined ? "" : `if type(before) == 'table' then return ${faults.wrongType} end\n`}if before then
  local ahead = ${read}
  if ahead == -1 then return ${faults.neverExpires} end
  if before ~= '0' and (#before > 16 or not string.find(before, '^%d+$')) then
    if string.sub(before, 1, 2) == '1|' then return ${faults.several} end
    return ${faults.notOurs}
  end
  if ahead > 0 then
    local slack = before + 0
    used = ahead * r
    if slack < r then used = used - slack end
    if used > 2 * full then used, clamped = 2 * full, true end
  end
end
`;
}

function take({ read, write }: ScriptClock): string {
  return `\
--[[
  Takes from every limit of a policy, or from none; a refusal writes only where more was in use than can be.

  KEYS[1]  the bucket
  ARGV[1]  tokens to take; 0 only looks
  ARGV[2]… of each limit four: name, p (units in a token), r (units that drain in a millisecond), full (units in a whole bucket)

  Returns 1 if they were taken or 0 if refused, then the units in use of each limit.
]]
local key, cost = KEYS[1], ARGV[1] + 0
${readBucket(read)}
local allowed = true
for i = 1, count do
  if used[i] + cost * p[i] > full[i] then allowed = false end
end
if allowed then
  for i = 1, count do used[i] = used[i] + cost * p[i] end
end
if cost > 0 and (allowed or clamped) then
  ${indent(writeBucket(write))}
end
return {allowed and 1 or 0, unpack(used)}
`;
}

function adjust({ read, write }: ScriptClock): string {
  return `\
--[[
  Charges every limit of a policy, down to a debt of one burst, or gives back to it, up to a full bucket.

  KEYS[1]  the bucket
  ARGV[1]  tokens to charge, or less than 0 to give back
  ARGV[2]… of each limit four: name, p (units in a token), r (units that drain in a millisecond), full (units in a whole bucket)

  Returns the whole tokens that the debt had room for, the fewest over the limits, then the units in use of each limit.
]]
local key, tokens = KEYS[1], ARGV[1] + 0
${readBucket(read)}
local room = math.huge
for i = 1, count do
  local most = 2 * full[i]
  room = math.min(room, math.floor((most - used[i]) / p[i]))
  used[i] = math.min(most, math.max(0, used[i] + math.min(most, math.max(-most, tokens * p[i]))))
end
${writeBucket(write)}
return {room, unpack(used)}
`;
}

/**
 * Lua that reads the limits of ARGV, the bucket as `before`, and what of each is in use: `count`, `name`, `p`, `r`, `full`, `used`, and
 * whether any was `clamped`.
 *
 * Entries are found by the name of the limit. A bare slack belongs to the first limit; a policy of one takes the first entry
 * where none has its name.
 */
function readBucket(read: string): string {
  return `\
local name, p, r, full = {}, {}, {}, {}
local count = (#ARGV - 1) / 4
for i = 1, count do
  local at = 4 * i - 2
  name[i], p[i], r[i], full[i] = ARGV[at], ARGV[at + 1] + 0, ARGV[at + 2] + 0, ARGV[at + 3] + 0
end

local longest, entries, first = 0, {}, nil
local before = redis.call('GET', key)
if before then
  longest = ${read}
  if longest == -1 then return ${neverExpires} end
  if #before <= 16 and string.find(before, '^%d+$') then
    entries[name[1]] = {0, before + 0}
  elseif string.sub(before, 1, 2) == '1|' then
    local last = 1
    repeat
      local _, stop, entry, distance, slack = string.find(before, '^|([^:|]+):(%d+):(%d+)', last + 1)
      if not stop or #distance > 16 or #slack > 16 then return ${notOurs} end
      entries[entry] = {distance + 0, slack + 0}
      first, last = first or entries[entry], stop
    until last == #before
  else
    return ${notOurs}
  end
end

local used, clamped = {}, false
for i = 1, count do
  local entry = entries[name[i]] or (count == 1 and first)
  local ahead = entry and longest - entry[1] or 0
  used[i] = 0
  if ahead > 0 then
    used[i] = ahead * r[i]
    if entry[2] < r[i] then used[i] = used[i] - entry[2] end
    if used[i] > 2 * full[i] then used[i], clamped = 2 * full[i], true end
  end
end
`;
}

/** Lua that stores what is in use: a bare slack for one limit, else an entry for each that is not full; nothing where all are. */
function writeBucket(write: string): string {
  return `\
local ahead = 0
for i = 1, count do ahead = math.max(ahead, math.ceil(used[i] / r[i])) end
if ahead == 0 then
  redis.call('DEL', key)
else
  local parts = {'1'}
  for i = 1, count do
    local own = math.ceil(used[i] / r[i])
    local slack = own * r[i] - used[i]
    if count == 1 then
      parts[1] = string.format('%.0f', slack)
    elseif own > 0 then
      parts[#parts + 1] = string.format('|%s:%.0f:%.0f', name[i], ahead - own, slack)
    end
  end
  local value = table.concat(parts)
  ${indent(write)}
end`;
}

function indent(lua: string): string {
  return lua.replaceAll("\n", "\n  ");
}
