/** Turns decisions into header fields, with one pure function per mode. docs/http.md defines the formulas and the exact bytes. */
import type { Limit, Policy } from "../policy/policy.ts";
import { isLimitName } from "../policy/policy-rules.ts";
import type { Rule } from "../validation.ts";
import type { LimitResult, RateLimitResult } from "./result.ts";

/**
 * Selects the header fields that show a client its limits: `X-RateLimit-*`, or those of a revision of
 * draft-ietf-httpapi-ratelimit-headers. Drafts 8 and 11 differ in `t` only: until the quota is used up or back, and until it grows.
 */
export type HeaderMode = "legacy" | "draft-6" | "draft-7" | "draft-8" | "draft-11" | "none";

/** Header fields by name. */
export type Fields = Record<string, string>;

/** A decision that clients may see. */
export interface VisibleDecision {
  readonly result: RateLimitResult;
  /** The policy behind the decision. The legacy mode does not need it. */
  readonly policy?: Policy | undefined;
  /** The limiter's name, used for a limit whose own name is already taken. */
  readonly name?: string | undefined;
}

/** One limit of one decision, under a name that is unique in the request. */
interface Row {
  readonly name: string;
  readonly limit: Limit;
  readonly state: LimitResult;
  readonly cost: number;
}

type Serializer = (visible: readonly VisibleDecision[]) => Fields;

/** Serializes all decisions of a request, by mode. List fields contain every limit, single-value fields the tightest. */
export const headerFields: Readonly<Record<HeaderMode, Serializer>> = {
  legacy: legacyFields,
  "draft-6": (visible) => counted(visible, draft6),
  "draft-7": (visible) => counted(visible, draft7),
  "draft-8": (visible) => counted(visible, draft8),
  "draft-11": (visible) => counted(visible, draft11),
  none: (visible) => (visible.some(({ result }) => result.source === "closed") ? retryAfter(visible) : {}),
};

/** The modes of the IETF drafts, from the oldest to the newest. Their field names overlap, so a response uses one of them at most. */
export const drafts: readonly HeaderMode[] = ["draft-6", "draft-7", "draft-8", "draft-11"];

/** The rule for an option that selects header fields: one mode, or `"legacy"` with one draft. Two drafts would share field names. */
export const headersRule: Rule = {
  // Computed when it is needed: a bundler drops what nothing uses only if making it calls nothing.
  get expects() {
    const modes = Object.keys(headerFields).join(", ");
    return `one of ${modes}, or "legacy" with one draft, because two drafts would overwrite each other's fields`;
  },
  accepts: (value) => {
    const given = [value].flat();
    const drafts = given.filter((mode) => typeof mode === "string" && mode.startsWith("draft"));
    return given.length > 0 && drafts.length <= 1 && given.every((mode) => typeof mode === "string" && Object.hasOwn(headerFields, mode));
  },
  hint: 'write headers: "draft-8", or ["legacy", "draft-8"] for both',
};

/** The names of each mode's fields, for `Access-Control-Expose-Headers`. */
export const exposedHeaders: Readonly<Record<HeaderMode, readonly string[]>> = {
  legacy: ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"],
  "draft-6": ["RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"],
  "draft-7": ["RateLimit-Policy", "RateLimit", "Retry-After"],
  "draft-8": ["RateLimit-Policy", "RateLimit", "Retry-After"],
  "draft-11": ["RateLimit-Policy", "RateLimit", "Retry-After"],
  none: [],
};

/**
 * Returns the header fields of one decision: `X-RateLimit-*` by default. Refusals also get `Retry-After`, in whole seconds, rounded up.
 *
 * Reset is Unix time in the legacy mode, and seconds from now in the IETF drafts (draft-ietf-httpapi-ratelimit-headers).
 * A call that was admitted uncounted because the backend was out gets no fields.
 */
export function rateLimitHeaders(result: RateLimitResult, policy: Policy, mode: HeaderMode = "legacy"): Record<string, string> {
  return headerFields[mode]([{ result, policy }]);
}

/** Whole seconds that a client should wait, rounded up and at least 1; `undefined` if no wait would help. */
export function retrySeconds(seconds: number): number | undefined {
  return seconds === Number.POSITIVE_INFINITY ? undefined : atLeastOne(seconds);
}

/**
 * Returns the decision that represents a request: if any refused, the refusal with the longest wait, otherwise the one with the fewest
 * tokens left.
 */
export function tightestOf<R extends RateLimitResult>(results: readonly R[]): R | undefined {
  const [first, ...others] = results;
  return first && others.reduce((a, b) => (isTighter(b, a) ? b : a), first);
}

function isTighter(a: RateLimitResult, b: RateLimitResult): boolean {
  if (a.allowed !== b.allowed) return b.allowed;
  return a.allowed ? a.remaining < b.remaining : a.retryAfter > b.retryAfter;
}

/** The names of the limits of `result` in the list fields, in the order of `result.limits`. */
export function limitNames(visible: readonly VisibleDecision[], result: RateLimitResult): string[] {
  if (visible.length === 1 || !visible.some((shown) => shown.result === result)) return result.limits.map(({ name }) => name);
  return rowsOf(visible).flatMap(({ name, state }) => (result.limits.includes(state) ? [name] : []));
}

/** Serializes decisions in the legacy mode. By itself it does not bring the other modes into a bundle. */
export function legacyFields(visible: readonly VisibleDecision[]): Fields {
  return counted(visible, legacy);
}

function counted(visible: readonly VisibleDecision[], serialize: Serializer): Fields {
  const seen = visible.every(isCounted) ? visible : visible.filter(isCounted);
  const fields = seen.length > 0 ? serialize(seen) : {};
  return visible.some(({ result }) => !result.allowed) ? Object.assign(fields, retryAfter(visible)) : fields;
}

/** Whether the call was counted. In an outage, the modes `"open"` and `"closed"` do not count. */
function isCounted({ result }: VisibleDecision): boolean {
  return result.source !== "open" && result.source !== "closed";
}

function retryAfter(visible: readonly VisibleDecision[]): Fields {
  const seconds = retrySeconds(longestWait(visible));
  return seconds === undefined ? {} : { "Retry-After": String(seconds) };
}

function longestWait(visible: readonly VisibleDecision[]): number {
  return visible.reduce((longest, { result }) => Math.max(longest, result.retryAfter), 0);
}

/** The decision that fills the single-value fields. */
function tightestVisible(visible: readonly VisibleDecision[]): VisibleDecision {
  const tightest = tightestOf(visible.map(({ result }) => result));
  return visible.find(({ result }) => result === tightest) as VisibleDecision;
}

function legacy(visible: readonly VisibleDecision[]): Fields {
  const { limit, burst, remaining, resetAt } = (visible.length === 1 ? (visible[0] as VisibleDecision) : tightestVisible(visible)).result;
  // More than the bucket holds can never be sent at once: "9 of 10", not "9 of 100".
  const most = Math.min(limit, burst);
  return {
    "X-RateLimit-Limit": String(most),
    "X-RateLimit-Remaining": String(Math.min(remaining, most)),
    "X-RateLimit-Reset": String(Math.ceil(resetAt)),
  };
}

function draft6(visible: readonly VisibleDecision[]): Fields {
  const rows = rowsOf(visible);
  const row = fewestLeft(rows);
  if (row === undefined) return {};
  return {
    "RateLimit-Policy": quotas(rows),
    "RateLimit-Limit": String(row.state.burst),
    "RateLimit-Remaining": String(row.state.remaining),
    "RateLimit-Reset": String(resetSeconds(row, latestReset(visible))),
  };
}

function draft7(visible: readonly VisibleDecision[]): Fields {
  const rows = rowsOf(visible);
  const row = fewestLeft(rows);
  if (row === undefined) return {};
  const { burst, remaining } = row.state;
  return {
    "RateLimit-Policy": quotas(rows),
    RateLimit: `limit=${burst}, remaining=${remaining}, reset=${resetSeconds(row, latestReset(visible))}`,
  };
}

function draft8(visible: readonly VisibleDecision[]): Fields {
  return named(visible, resetSeconds);
}

function draft11(visible: readonly VisibleDecision[]): Fields {
  return named(visible, growthSeconds);
}

function named(visible: readonly VisibleDecision[], secondsOf: (row: Row, latest: number) => number): Fields {
  const rows = rowsOf(visible);
  if (rows.length === 0) return {};
  const latest = latestReset(visible);
  return {
    "RateLimit-Policy": namedQuotas(visible, rows),
    RateLimit: rows.map((row) => `"${row.name}";r=${row.state.remaining};t=${secondsOf(row, latest)}`).join(", "),
  };
}

/** Caches the `RateLimit-Policy` of requests with a single policy. */
const namedQuotasOf = new WeakMap<Policy, string>();

function namedQuotas(visible: readonly VisibleDecision[], rows: readonly Row[]): string {
  const policy = visible.length === 1 ? visible[0]?.policy : undefined;
  const known = policy && namedQuotasOf.get(policy);
  if (known !== undefined) return known;
  const field = rows.map(({ name, limit }) => `"${name}";q=${limit.burst};w=${windowSeconds(limit)}`).join(", ");
  if (policy !== undefined) namedQuotasOf.set(policy, field);
  return field;
}

/** The quotas of drafts 6 and 7. They have no names, so of equal quotas only the tightest may be listed. */
function quotas(rows: readonly Row[]): string {
  const listed = rows.filter((row) => row === fewestLeft(rows.filter(({ limit }) => limit.burst === row.limit.burst)));
  return listed.map(({ limit }) => `${limit.burst};w=${windowSeconds(limit)}`).join(", ");
}

/** The limit that drafts 6 and 7 report: the one with the fewest tokens left; of equals, the one with the longest wait, then window. */
function fewestLeft(rows: readonly Row[]): Row | undefined {
  const [first, ...others] = rows;
  return first && others.reduce((a, b) => (isTighterRow(b, a) ? b : a), first);
}

function isTighterRow(a: Row, b: Row): boolean {
  if (a.state.remaining !== b.state.remaining) return a.state.remaining < b.state.remaining;
  if (a.state.retryAfter !== b.state.retryAfter) return a.state.retryAfter > b.state.retryAfter;
  return windowSeconds(a.limit) > windowSeconds(b.limit);
}

/** `Retry-After` must not be earlier than a reset beside it, so no reset is later than the wait of a refusal. */
function latestReset(visible: readonly VisibleDecision[]): number {
  const wait = longestWait(visible);
  return wait === 0 ? Number.POSITIVE_INFINITY : atLeastOne(wait);
}

/** The time it takes to fill an empty bucket, so that quota / window is the sustained rate. */
function windowSeconds({ capacityUnits, unitsPerMs }: Limit): number {
  return atLeastOne(capacityUnits / unitsPerMs / 1000);
}

/**
 * After a refusal, the time until the call fits. With nothing left, the time until the next token. Otherwise, the time it would take to
 * refill the tokens that are left. Never later than `latest`.
 */
function resetSeconds(row: Row, latest: number): number {
  const { limit, state } = row;
  if (state.retryAfter > 0) return waitSeconds(row);
  const left = limit.capacityUnits - state.used;
  const seconds = state.remaining > 0 ? Math.ceil(left / limit.unitsPerMs / 1000) : atLeastOne(nextTokenSeconds(limit, left));
  return Math.min(latest, seconds);
}

/** After a refusal, the time until the call fits. Otherwise, the time until the next token; 0 if the bucket is full. */
function growthSeconds(row: Row, latest: number): number {
  const { limit, state } = row;
  if (state.retryAfter > 0) return waitSeconds(row);
  const left = limit.capacityUnits - state.used;
  const seconds = state.used <= 0 ? 0 : atLeastOne(nextTokenSeconds(limit, left < 0 ? left : left % limit.unitsPerToken));
  return Math.min(latest, seconds);
}

function nextTokenSeconds(limit: Limit, left: number): number {
  return (limit.unitsPerToken - left) / limit.unitsPerMs / 1000;
}

/** The time until a refused call fits, or would fit if the bucket were large enough. */
function waitSeconds({ limit, state, cost }: Row): number {
  if (state.retryAfter !== Number.POSITIVE_INFINITY) return atLeastOne(state.retryAfter);
  return atLeastOne((cost * limit.unitsPerToken - limit.capacityUnits + state.used) / limit.unitsPerMs / 1000);
}

function atLeastOne(seconds: number): number {
  return Math.max(1, Math.ceil(seconds));
}

function rowsOf(visible: readonly VisibleDecision[]): Row[] {
  const names = new Set<string>();
  return visible.flatMap(({ result, policy, name: limiter }) =>
    result.limits.flatMap((state, i) => {
      const limit = policy?.limits[i];
      if (limit === undefined) return [];
      const name = freeName(names, limit.name, limiter);
      names.add(name);
      return [{ name, limit, state, cost: result.cost }];
    }),
  );
}

function freeName(taken: ReadonlySet<string>, name: string, limiter: string | undefined): string {
  if (!taken.has(name)) return name;
  if (isLimitName(limiter) && !taken.has(limiter)) return limiter;
  let number = 2;
  while (taken.has(`${name}${number}`)) number++;
  return `${name}${number}`;
}
