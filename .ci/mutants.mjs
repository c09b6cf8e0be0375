// Bugs to plant in the arithmetic of the bucket, each of which a quick test must catch. `from` occurs once in its file.

/** @typedef {{ what: string, file: string, from: string, to: string }} Mutant */

const arithmetic = "packages/core/src/policy/token-bucket.ts";
const bucket = "packages/core/src/backend/bucket.ts";
const table = "packages/core/src/backend/memory/bucket-table.ts";
const lot = "packages/core/src/lease/lot.ts";
const lua = "packages/backend-redis/src/lua/bucket.lua";

/** @type {readonly Mutant[]} */
export const mutants = [
  {
    what: "the time until a bucket is full is rounded down",
    file: arithmetic,
    from: "Math.ceil(used / limit.unitsPerMs)",
    to: "Math.floor(used / limit.unitsPerMs)",
  },
  {
    what: "the last token of a bucket is never taken",
    file: arithmetic,
    from: "used + cost * limit.unitsPerToken <= limit.capacityUnits",
    to: "used + cost * limit.unitsPerToken < limit.capacityUnits",
  },
  { what: "the slack is ignored", file: arithmetic, from: "(slack < limit.unitsPerMs ? slack : 0)", to: "0" },
  { what: "a wait is rounded down", file: arithmetic, from: "Math.ceil((used + cost", to: "Math.floor((used + cost" },
  { what: "a debt may reach three bursts", file: arithmetic, from: "return 2 * limit.capacityUnits", to: "return 3 * limit.capacityUnits" },
  {
    what: "a new limit inherits nothing",
    file: bucket,
    from: "owedMs = Math.max(owedMs, fullAt - now)",
    to: "owedMs = Math.min(owedMs, fullAt - now)",
  },
  { what: "every refusal starts the block again", file: bucket, from: "blockMs > 0 && found.blockedMs === 0", to: "blockMs > 0" },
  { what: "the clamp after a clock step is not stored", file: table, from: " || claimed > before", to: "" },
  { what: "Lua, short form: the slack is ignored", file: lua, from: "if slack < r then used = used - slack end", to: "" },
  {
    what: "Lua, short form: the clamp after a clock step is not stored",
    file: lua,
    from: "then used, clamped = 2 * full, true end",
    to: "then used = 2 * full end",
  },
  { what: "Lua, short form: the last token is never taken", file: lua, from: "used + amount <= full", to: "used + amount < full" },
  {
    what: "Lua: a drained entry of another policy is dropped at once",
    file: lua,
    from: "isForeign and ahead > -86400000",
    to: "isForeign and ahead > 0",
  },
  {
    what: "Lua: every refusal starts the block again",
    file: lua,
    from: "taken < times and blockMs > 0 and blocked == 0",
    to: "taken < times and blockMs > 0",
  },
  { what: "Lua: a shorter block replaces a longer one", file: lua, from: "math.max(blocked, amount), 0", to: "amount, 0" },
  {
    what: "Lua: a refund may exceed a full bucket",
    file: lua,
    from: "math.max(floor[n], used[n] + math.min",
    to: "math.max(floor[n] - 1, used[n] + math.min",
  },
  { what: "Lua: tokens that a lease holds drain", file: lua, from: "units = units + holds[other + 3]", to: "units = 0" },
  {
    what: "Lua: what is handed back to a generation that has ended is refunded",
    file: lua,
    from: "holds[h + 1] == generation and holds[h + 2] > 0",
    to: "holds[h + 1] == generation",
  },
  {
    what: "Lua: calls of another policy shorten a lease",
    file: lua,
    from: "keeping > 0 and math.max(blocked, longest) or blocked",
    to: "blocked",
  },
  { what: "a lot forgets the tokens that others hold", file: lot, from: "this.#floors[i] as number", to: "0" },
  { what: "a lot has no end", file: lot, from: " || now >= this.endsAt", to: "" },
];
