import { isPositiveInteger, Problems, type Rule, type Rules, rule } from "../validation.ts";
import { warnOnce } from "../warnings.ts";
import type { Duration } from "./duration.ts";
import { durationForm, durationMs } from "./duration.ts";

/** One limit as it is written: `rate` tokens per `period`, in a bucket of `burst`. */
export interface LimitOptions {
  /** Tokens per period: a positive integer ("2.5 per second" is 5 per 2 s), or 0 to refuse everything. */
  rate: number;
  /** Seconds, or a text with a unit (`"1m"`), of whole milliseconds; 60. */
  period?: Duration | undefined;
  /** Tokens in a full bucket: a positive integer; `rate`. */
  burst?: number | undefined;
  /** What headers and results call this limit: a letter, then at most 63 letters, digits, `_`, `.`, `-`; `"default"`. */
  name?: string | undefined;
}

/** One limit, or several that are taken all or none; several need names, each its own. */
export type PolicyOptions = (
  | (LimitOptions & { limits?: never })
  | { limits: readonly [LimitOptions, ...LimitOptions[]]; rate?: never; period?: never; burst?: never }
) & {
  /**
   * How long a key stays refused after its first refusal: seconds, or a string with a unit (`"10m"`).
   * Later refusals do not prolong it, and `reset` lifts it.
   * @defaultValue no block: a key is refused only until its bucket holds enough tokens again
   */
  block?: Duration | undefined;
};

/** One compiled limit. `p` units are one token, `r` units drain in a millisecond, `full` units are the whole bucket. */
export interface Limit {
  readonly name: string;
  /** Tokens per period. */
  readonly rate: number;
  /** Seconds. */
  readonly period: number;
  /** Tokens in a full bucket. */
  readonly burst: number;
  readonly periodMs: number;
  readonly unitsPerToken: number;
  readonly unitsPerMs: number;
  readonly capacityUnits: number;
  /** Identifies `p`, `r` and `full` in a stored bucket: 32 bits. Names do not matter there. */
  readonly fingerprint: number;
}

/** The rule of a limiter: its limits, compiled and frozen. */
export interface Policy {
  readonly limits: readonly [Limit, ...Limit[]];
  /** Milliseconds that a key stays refused after its first refusal; 0 if it is not blocked. */
  readonly blockMs: number;
}

/** What a limiter or a limit is called that has no name. */
export const defaultName = "default";
const limitName = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** Whether headers can carry `name`. */
export function isLimitName(name: unknown): name is string {
  return typeof name === "string" && limitName.test(name);
}

/** The most limits of one policy: every call checks, stores and reports all of them. */
const mostLimits = 100;

function durationRule(option: string): Rule {
  return {
    expects: durationForm,
    accepts: (value) => durationMs(value) !== undefined,
    hint: `write ${option}: 60 or ${option}: "1m" (units: ms, s, m, h, d)`,
  };
}

const limitRules: Rules = {
  rate: {
    expects: "a positive integer",
    accepts: (value) => Object.is(value, 0) || isPositiveInteger(value),
    hint: 'write whole tokens: 2.5 per second is { rate: 5, period: "2s" }, and 0 refuses everything',
  },
  period: durationRule("period"),
  burst: { ...rule.positiveInteger, hint: "leave it out for a bucket of `rate` tokens" },
  name: {
    expects: "a letter followed by at most 63 letters, digits, _, . or -",
    accepts: isLimitName,
    hint: 'it goes out in headers; write for example name: "per-minute"',
  },
  // A limit that was compiled may be given again. It is compiled anew, so that its other options may be changed on the way.
  ...Object.fromEntries(
    ["periodMs", "unitsPerToken", "unitsPerMs", "capacityUnits", "fingerprint"].map((option) => [option, rule.derived]),
  ),
};

/** The burst of a limit that refuses everything. */
const closedBurst: Rule = {
  expects: "absent beside `rate: 0`",
  accepts: (value) => value === 0,
  hint: "leave it out: a closed limit holds no tokens",
};

/** What a policy of one limit takes. */
const singleRules: Rules = { ...limitRules, block: durationRule("block") };

const severalRules: Rules = {
  limits: {
    expects: "a non-empty array of limits",
    accepts: (value) => Array.isArray(value) && value.length > 0,
    hint: 'write limits: [{ name: "minute", rate: 100, period: "1m" }]',
  },
  rate: insideLimits(),
  period: insideLimits(),
  burst: insideLimits(),
  block: durationRule("block"),
  blockMs: { expects: "that of a compiled policy", accepts: isCount, hint: 'write block: "10m"', hidden: true },
};

/** The names of a policy's options, for constructors that take them among their own. */
export const policyOptions: readonly string[] = Object.keys(severalRules);

/** The rules of a constructor that hands these options on. */
export const policyRules: Rules = Object.fromEntries(
  Object.entries(severalRules).map(([option, { hidden }]) => [option, hidden ? rule.derived : rule.readElsewhere]),
);

/**
 * Checks a policy once and freezes it; everything behind it trusts the result.
 *
 * A limit is `rate` tokens (positive integer) per `period` (seconds, or a text with a unit; 60) in a bucket of `burst` tokens (`rate`).
 * Several limits, 100 at most, are taken all or none. With `block`, a key that was refused stays refused for so long.
 * Limits must be countable exactly (`4 * burst * period / gcd(rate, period in ms)` below 2^53),
 * and a bucket must hold at least one millisecond of refill.
 *
 * @throws {RateLimitError} INVALID_POLICY that tells every problem at once.
 * @example
 * definePolicy({ rate: 100, period: "1m", burst: 150 });
 * definePolicy({ limits: [{ name: "second", rate: 10, period: 1 }, { name: "hour", rate: 1000, period: "1h" }] });
 */
export function definePolicy(options: PolicyOptions): Policy {
  const problems = Problems.none();
  const policy = readPolicy(problems, options);
  problems.throwIfAny("INVALID_POLICY");
  return policy as Policy;
}

/** Reads a policy; what is wrong with it goes to `problems`, and then there is none. */
export function readPolicy(problems: Problems, options: unknown): Policy | undefined {
  const before = problems.count;
  const limits = isSeveral(options) ? readLimits(problems, options) : [readLimit(problems, "policy", options, singleRules)];
  return problems.count === before ? freeze(limits as Limit[], options as PolicyOptions & Partial<Policy>) : undefined;
}

/** Whether `value` is what {@link definePolicy} returns, of this or another copy of the package. */
export function isPolicy(value: unknown): value is Policy {
  const { limits, blockMs } = (value ?? {}) as Partial<Policy>;
  return isCount(blockMs) && Array.isArray(limits) && limits.length > 0 && limits.every((limit: object | null) => isCompiled(limit ?? {}));
}

/** Whether two policies are the same rule. */
export function samePolicy(a: Policy, b: Policy): boolean {
  const text = ({ limits, blockMs }: Policy): string =>
    JSON.stringify([blockMs, ...limits.map(({ name, rate, periodMs, burst }) => [name, rate, periodMs, burst])]);
  return a === b || text(a) === text(b);
}

function isCompiled(limit: object): boolean {
  const { name, rate, periodMs, burst, unitsPerToken: p, unitsPerMs: r, capacityUnits: full, fingerprint } = limit as Partial<Limit>;
  return isLimitName(name) && [periodMs, p, r].every(isPositiveInteger) && [rate, burst, full, fingerprint].every(isCount);
}

function isCount(value: unknown): boolean {
  return value === 0 || isPositiveInteger(value);
}

function isSeveral(options: unknown): options is { limits: unknown } {
  return typeof options === "object" && options !== null && "limits" in options && options.limits !== undefined;
}

function readLimits(problems: Problems, options: { limits: unknown }): (Limit | undefined)[] {
  problems.checkOptions("policy", options, severalRules);
  const given: unknown[] = Array.isArray(options.limits) ? options.limits : [];
  if (given.length > mostLimits) {
    problems.add("limits", `at most ${mostLimits} limits`, given.length, "every call checks all of them; use several limiters instead");
    return [];
  }
  // Unlike `map`, this does not skip the holes of a sparse array.
  const list = Array.from(given);
  const names = new Set<string>();
  return list.map((entry, i) => {
    const here = problems.named((option) => `limits[${i}]${option === "limit" ? "" : `.${option}`}`);
    const limit = readLimit(here, "limit", entry, limitRules);
    if (limit === undefined) return undefined;
    if (list.length > 1 && (entry as LimitOptions).name === undefined)
      here.add("name", "given where limits are several", undefined, 'write for example name: "minute"');
    else if (names.has(limit.name)) here.add("name", "unique in its policy", limit.name, "give each limit a name of its own");
    names.add(limit.name);
    return limit;
  });
}

function readLimit(problems: Problems, what: string, options: unknown, rules: Rules): Limit | undefined {
  const before = problems.count;
  const isClosed = (options as Partial<LimitOptions> | null | undefined)?.rate === 0;
  if (!problems.checkOptions(what, options, isClosed ? { ...rules, burst: closedBurst } : rules)) return undefined;
  if (options["rate"] === undefined) problems.add("rate", "a positive integer", undefined, "write rate: 100 for 100 tokens per period");
  if (problems.count > before) return undefined;
  return compile(problems, options as unknown as LimitOptions);
}

function compile(problems: Problems, options: LimitOptions): Limit {
  const { rate, period = 60, burst = rate, name = defaultName } = options;
  const periodMs = durationMs(period) as number;
  if (rate === 0) return closedLimit(name, periodMs);
  const divisor = gcd(rate, periodMs);
  const [unitsPerToken, unitsPerMs] = [periodMs / divisor, rate / divisor];
  const capacityUnits = burst * unitsPerToken;
  if (4 * capacityUnits > Number.MAX_SAFE_INTEGER)
    problems.add("burst", "small enough to be counted exactly", burst, "use a smaller one, or a rate and a period with a common factor");
  if (capacityUnits < unitsPerMs)
    problems.add(
      "burst",
      "at least one millisecond of refill",
      burst,
      `for ${rate} per ${periodMs} ms write burst: ${Math.ceil(unitsPerMs / unitsPerToken)} or more`,
    );
  if (!isCompiled(options)) warnOfMilliseconds(period);
  return Object.freeze({
    name,
    rate,
    period: periodMs / 1000,
    burst,
    periodMs,
    unitsPerToken,
    unitsPerMs,
    capacityUnits,
    fingerprint: fingerprintOf(unitsPerToken, unitsPerMs, capacityUnits),
  });
}

/** A limit that admits nothing: its bucket has no room, so that every other rule applies to it unchanged. */
function closedLimit(name: string, periodMs: number): Limit {
  return Object.freeze({
    name,
    rate: 0,
    period: periodMs / 1000,
    burst: 0,
    periodMs,
    unitsPerToken: 1,
    unitsPerMs: 1,
    capacityUnits: 0,
    fingerprint: fingerprintOf(1, 1, 0),
  });
}

/** FNV-1a, 32 bits, of `p:r:full` in decimal digits. It is part of the stored format: docs/state.md. */
function fingerprintOf(...numbers: readonly [unitsPerToken: number, unitsPerMs: number, capacityUnits: number]): number {
  let hash = 0x811c9dc5;
  for (const character of numbers.join(":")) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

function warnOfMilliseconds(period: Duration): void {
  if (typeof period === "number" && period >= 10_000 && period % 1000 === 0)
    warnOnce(
      "RATELIMIT_PERIOD_LOOKS_LIKE_MS",
      `period: ${period} is ${period} seconds; for milliseconds write period: "${period}ms", otherwise "${period}s"`,
      String(period),
    );
}

function insideLimits(): Rule {
  return { expects: "absent beside `limits`", accepts: () => false, hint: "move it into an entry of `limits`" };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function freeze(limits: Limit[], { block, blockMs = 0 }: { block?: Duration | undefined; blockMs?: number }): Policy {
  return Object.freeze({
    limits: Object.freeze(limits) as unknown as Policy["limits"],
    blockMs: block === undefined ? blockMs : (durationMs(block) as number),
  });
}
