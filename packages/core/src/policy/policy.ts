import { peerOptionHint } from "../peer-options.ts";
import { isPositiveInteger, Problems, type Rules } from "../validation.ts";
import { warnOnce } from "../warnings.ts";
import type { Duration, TimeSpan } from "./duration.ts";
import { durationMs, timeSpanMs } from "./duration.ts";
import { closedBurst, defaultName, isCount, isLimitName, limitRules, severalRules, singleRules } from "./policy-rules.ts";

/** Options of one limit: `rate` tokens per `period`, in a bucket of `burst` tokens. */
export interface LimitOptions {
  /** Tokens per period: a positive integer (write 2.5 per second as 5 per 2 s), or 0 to refuse everything. */
  rate: number;
  /**
   * The period in seconds, or as a string with a unit (`"1m"`): a whole number of milliseconds.
   * @defaultValue 60
   */
  period?: Duration | undefined;
  /**
   * Tokens in a full bucket: a positive integer.
   * @defaultValue `rate`
   */
  burst?: number | undefined;
  /**
   * Names this limit in headers and results: a letter, then at most 63 letters, digits, `_`, `.` or `-`.
   * @defaultValue `"default"`
   */
  name?: string | undefined;
}

/**
 * Options of `definePolicy`: one limit, or several. Several limits need unique names. A call takes tokens from all of them, or from none.
 */
export type PolicyOptions = (
  | (LimitOptions & { limits?: never })
  | { limits: readonly LimitOptions[]; rate?: never; period?: never; burst?: never }
) & {
  /**
   * Blocks a key for this long after its first refusal: seconds, or a string with a unit (`"10m"`).
   * Later refusals do not extend the block, and `reset` lifts it.
   * @defaultValue no block: a key is refused only until its bucket holds enough tokens again
   */
  block?: Duration | undefined;
  /**
   * How far ahead a process takes tokens of a busy key from a shared backend, with its unit (`"50ms"`), so that it can decide most calls
   * by itself. No limit admits more for it. Other processes see a refund, reset or block within twice that time. A backend of this process
   * has nothing to save and ignores it. Not together with `block`.
   * @defaultValue no lease: every call asks the backend
   */
  lease?: TimeSpan | undefined;
};

/**
 * A compiled limit. It counts in integer units: a token is `unitsPerToken` units, a millisecond refills `unitsPerMs` units, and a full
 * bucket holds `capacityUnits` units.
 */
export interface Limit {
  readonly name: string;
  /** Tokens per period. */
  readonly rate: number;
  /** The period in seconds. */
  readonly period: number;
  /** Tokens in a full bucket. */
  readonly burst: number;
  readonly periodMs: number;
  readonly unitsPerToken: number;
  readonly unitsPerMs: number;
  readonly capacityUnits: number;
  /** Identifies the limit in a stored bucket: a 32-bit hash of the three unit counts. The name is not part of it. */
  readonly fingerprint: number;
}

/** A compiled and frozen policy: the limits that a call must pass. */
export interface Policy {
  readonly limits: readonly [Limit, ...Limit[]];
  /** Milliseconds that a key is blocked after its first refusal; 0 if the policy has no block. */
  readonly blockMs: number;
  /** How many milliseconds ahead a process takes tokens of a busy key; 0 if every call asks the backend. */
  readonly leaseMs: number;
}

/** The most limits that a policy may have. Every call checks, stores and reports all of them. */
const mostLimits = 100;

/**
 * Checks a policy, compiles it and freezes it, so that it can be used without further checks.
 *
 * A limit admits `rate` tokens (a positive integer) per `period` (seconds, or a string with a unit; 60 by default), from a bucket of
 * `burst` tokens (`rate` by default). A policy has at most 100 limits, and a call takes tokens from all of them or from none. With
 * `block`, a key stays refused for that long after a refusal. With `lease`, a process takes tokens of a busy key from a shared backend
 * in advance, and decides most calls by itself. Every count must be an exact integer
 * (`4 * burst * period / gcd(rate, period in ms)` below 2^53), and a bucket must hold at least one millisecond of refill.
 *
 * @throws {RateLimitError} INVALID_POLICY, which lists every problem.
 * @example
 * definePolicy({ rate: 100, period: "1m", burst: 150 });
 * definePolicy({ limits: [{ name: "second", rate: 10, period: 1 }, { name: "hour", rate: 1000, period: "1h" }] });
 */
export function definePolicy(options: PolicyOptions): Policy {
  const problems = Problems.none(peerOptionHint);
  const policy = readPolicy(problems, options);
  problems.throwIfAny("INVALID_POLICY");
  return policy as Policy;
}

/** Reads a policy. If anything is wrong with it, adds that to `problems` and returns `undefined`. */
export function readPolicy(problems: Problems, options: unknown): Policy | undefined {
  const before = problems.count;
  const limits = isSeveral(options) ? readLimits(problems, options) : [readLimit(problems, "policy", options, singleRules)];
  checkLease(problems, options);
  return problems.count === before ? freeze(limits as Limit[], options as PolicyOptions & Partial<Policy>) : undefined;
}

/** Whether `value` came from {@link definePolicy}, in this or another copy of the package. */
export function isPolicy(value: unknown): value is Policy {
  const { limits, blockMs, leaseMs } = (value ?? {}) as Partial<Policy>;
  return (
    isCount(blockMs) &&
    isCount(leaseMs) &&
    Array.isArray(limits) &&
    limits.length > 0 &&
    limits.every((limit: object | null) => isCompiled(limit ?? {}))
  );
}

/** Whether two policies have the same limits, under the same names, the same block and the same lease. */
export function samePolicy(a: Policy, b: Policy): boolean {
  const serialized = ({ limits, blockMs, leaseMs }: Policy): string =>
    JSON.stringify([blockMs, leaseMs, ...limits.map(({ name, rate, periodMs, burst }) => [name, rate, periodMs, burst])]);
  return a === b || serialized(a) === serialized(b);
}

function isCompiled(limit: object): boolean {
  const { name, rate, periodMs, burst, unitsPerToken: p, unitsPerMs: r, capacityUnits: full, fingerprint } = limit as Partial<Limit>;
  return isLimitName(name) && [periodMs, p, r].every(isPositiveInteger) && [rate, burst, full, fingerprint].every(isCount);
}

function isSeveral(options: unknown): options is { limits: unknown } {
  return typeof options === "object" && options !== null && "limits" in options && options.limits !== undefined;
}

function checkLease(problems: Problems, options: unknown): void {
  const { block, blockMs, lease, leaseMs } = (options ?? {}) as PolicyOptions & Partial<Policy>;
  if ((block === undefined && !blockMs) || (lease === undefined && !leaseMs)) return;
  const hint = "leave one of them out; only the backend can start a block, and it does not see every call of a lease";
  problems.add("lease", "absent beside `block`", lease ?? leaseMs, hint);
}

function readLimits(problems: Problems, options: { limits: unknown }): (Limit | undefined)[] {
  problems.checkOptions("policy", options, severalRules);
  const given: unknown[] = Array.isArray(options.limits) ? options.limits : [];
  if (given.length > mostLimits) {
    problems.add("limits", `at most ${mostLimits} limits`, given.length, "every call checks all of them; use several limiters instead");
    return [];
  }
  // `map` alone would skip the holes of a sparse array.
  const list = Array.from(given);
  const names = new Set<string>();
  return list.map((entry, i) => {
    const here = problems.named((option) => `limits[${i}]${option === "limit" ? "" : `.${option}`}`);
    const limit = readLimit(here, "limit", entry, limitRules);
    if (limit === undefined) return undefined;
    if (list.length > 1 && (entry as LimitOptions).name === undefined)
      here.add("name", "given when there are several limits", undefined, 'write for example name: "minute"');
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

/** A limit that admits nothing. Its bucket has no capacity, so no other code needs a special case for it. */
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

/** The 32-bit FNV-1a hash of the three numbers in decimal, joined by `:`. It is part of the stored format: docs/state.md. */
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

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function freeze(limits: Limit[], { block, blockMs = 0, lease, leaseMs = 0 }: PolicyOptions & Partial<Policy>): Policy {
  return Object.freeze({
    limits: Object.freeze(limits) as unknown as Policy["limits"],
    blockMs: block === undefined ? blockMs : (durationMs(block) as number),
    leaseMs: lease === undefined ? leaseMs : (timeSpanMs(lease) as number),
  });
}
