import type { Duration } from "./duration.ts";
import { durationMs } from "./duration.ts";
import { isPositiveInteger, Problems, type Rule, type Rules, rule } from "./problems.ts";
import { warnOnce } from "./warn.ts";

/** One limit as it is written: `rate` tokens per `period`, in a bucket of `burst`. */
export interface LimitOptions {
  /** Tokens per period: a positive integer ("2.5 per second" is 5 per 2 s). */
  rate: number;
  /** Seconds, or a text with a unit (`"1m"`), of whole milliseconds; 60. */
  period?: Duration | undefined;
  /** Tokens in a full bucket: a positive integer; `rate`. */
  burst?: number | undefined;
  /** What headers and results call this limit: a letter, then at most 63 letters, digits, `_`, `.`, `-`; `"default"`. */
  name?: string | undefined;
}

/** One limit, or several that are taken all or none; several need names, each its own. */
export type PolicyOptions =
  | (LimitOptions & { limits?: never })
  | { limits: readonly [LimitOptions, ...LimitOptions[]]; rate?: never; period?: never; burst?: never };

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
  readonly p: number;
  readonly r: number;
  readonly full: number;
}

/** The rule of a limiter: its limits, compiled and frozen. */
export interface Policy {
  readonly limits: readonly [Limit, ...Limit[]];
}

/** What a limiter or a limit is called that has no name. */
export const defaultName = "default";
const limitName = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** Whether headers can carry `name`. */
export function isLimitName(name: unknown): name is string {
  return typeof name === "string" && limitName.test(name);
}

const limitRules: Rules = {
  rate: { ...rule.positiveInteger, wayOut: 'write whole tokens: 2.5 per second is { rate: 5, period: "2s" }' },
  period: {
    expects: 'seconds, or a text such as "1m", of whole milliseconds above 0',
    accepts: (value) => durationMs(value) !== undefined,
    wayOut: 'write period: 60 or period: "1m" (units: ms, s, m, h, d)',
  },
  burst: { ...rule.positiveInteger, wayOut: "leave it out for a bucket of `rate` tokens" },
  name: {
    expects: "a letter followed by at most 63 letters, digits, _, . or -",
    accepts: isLimitName,
    wayOut: 'it goes out in headers; write for example name: "per-minute"',
  },
};

const severalRules: Rules = {
  limits: {
    expects: "a non-empty array of limits",
    accepts: (value) => Array.isArray(value) && value.length > 0,
    wayOut: 'write limits: [{ name: "minute", rate: 100, period: "1m" }]',
  },
  rate: insideLimits(),
  period: insideLimits(),
  burst: insideLimits(),
};

/** The names of a policy's options, for constructors that take them among their own. */
export const policyOptions: readonly string[] = Object.keys(severalRules);

/**
 * Checks a policy once and freezes it; everything behind it trusts the result.
 *
 * A limit is `rate` tokens (positive integer) per `period` (seconds, or a text with a unit; 60) in a bucket of `burst` tokens (`rate`).
 * Several limits are taken all or none. They must be countable exactly (`4 * burst * period / gcd(rate, period in ms)` below 2^53),
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
  const limits = isSeveral(options) ? readLimits(problems, options) : [readLimit(problems, "policy", options)];
  return problems.count === before ? freeze(limits as Limit[]) : undefined;
}

/** Whether `value` is what {@link definePolicy} returns, of this or another copy of the package. */
export function isPolicy(value: unknown): value is Policy {
  const { limits } = (value ?? {}) as Partial<Policy>;
  return Array.isArray(limits) && limits.length > 0 && limits.every((limit: Partial<Limit> | null) => isCompiled(limit ?? {}));
}

/** Whether two policies are the same rule. */
export function samePolicy(a: Policy, b: Policy): boolean {
  const text = ({ limits }: Policy): string =>
    JSON.stringify(limits.map(({ name, rate, periodMs, burst }) => [name, rate, periodMs, burst]));
  return a === b || text(a) === text(b);
}

function isCompiled({ name, rate, periodMs, burst, p, r, full }: Partial<Limit>): boolean {
  return isLimitName(name) && [rate, periodMs, burst, p, r, full].every(isPositiveInteger);
}

function isSeveral(options: unknown): options is { limits: unknown } {
  return typeof options === "object" && options !== null && "limits" in options && options.limits !== undefined;
}

function readLimits(problems: Problems, options: { limits: unknown }): (Limit | undefined)[] {
  problems.checkOptions("policy", options, severalRules);
  const list: unknown[] = Array.isArray(options.limits) ? Array.from(options.limits) : [];
  const names = new Set<string>();
  return list.map((entry, i) => {
    const here = problems.named((option) => `limits[${i}]${option === "limit" ? "" : `.${option}`}`);
    const limit = readLimit(here, "limit", entry);
    if (limit === undefined) return undefined;
    if (list.length > 1 && (entry as LimitOptions).name === undefined)
      here.add("name", "given where limits are several", undefined, 'write for example name: "minute"');
    else if (names.has(limit.name)) here.add("name", "unique in its policy", limit.name, "give each limit a name of its own");
    names.add(limit.name);
    return limit;
  });
}

function readLimit(problems: Problems, what: string, options: unknown): Limit | undefined {
  const before = problems.count;
  if (!problems.checkOptions(what, options, limitRules)) return undefined;
  if (options["rate"] === undefined) problems.add("rate", "a positive integer", undefined, "write rate: 100 for 100 tokens per period");
  if (problems.count > before) return undefined;
  return compile(problems, options as unknown as LimitOptions);
}

function compile(problems: Problems, { rate, period = 60, burst = rate, name = defaultName }: LimitOptions): Limit {
  const periodMs = durationMs(period) as number;
  const divisor = gcd(rate, periodMs);
  const [p, r] = [periodMs / divisor, rate / divisor];
  const full = burst * p;
  if (4 * full > Number.MAX_SAFE_INTEGER)
    problems.add("burst", "small enough to be counted exactly", burst, "use a smaller one, or a rate and a period with a common factor");
  if (full < r)
    problems.add(
      "burst",
      "at least one millisecond of refill",
      burst,
      `for ${rate} per ${periodMs} ms write burst: ${Math.ceil(r / p)} or more`,
    );
  warnOfMilliseconds(period);
  return Object.freeze({ name, rate, period: periodMs / 1000, burst, periodMs, p, r, full });
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
  return { expects: "absent beside `limits`", accepts: () => false, wayOut: "move it into an entry of `limits`" };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function freeze(limits: Limit[]): Policy {
  return Object.freeze({ limits: Object.freeze(limits) as unknown as Policy["limits"] });
}
