/**
 * A bucket as data, and what a call makes of it, by the rules of docs/state.md.
 *
 * A bucket is a list of entries, one for each limit with units in use, identified by the limit's numbers. Calls under another policy do
 * not change the entries of this one, so two policies can take turns on one key and each keeps its own bound.
 */
import type { Limit, Policy } from "../policy/policy.ts";
import { adjusted, debtCeiling, fits, msUntilFull, slackUnits, unchargedOf, usedOf } from "../policy/token-bucket.ts";
import type { BackendReply } from "./backend.ts";

/** One limit of a bucket: full again at `fullAt` (ms of the backend's clock), less `slack` units. Without a limit, a block until `fullAt`. */
export interface Entry {
  readonly limit: Limit | undefined;
  readonly fullAt: number;
  readonly slack: number;
}

/** A bucket as plain data, which JSON can carry. An empty list is a full bucket. */
export type Bucket = readonly Entry[];

/** What a call makes of a bucket. */
export interface BucketChange {
  readonly reply: BackendReply;
  /** The bucket to store, or `undefined` if the stored one is still right. */
  readonly bucket: Bucket | undefined;
}

/** The most entries of other policies that a bucket keeps. Beyond that, the one nearest full is dropped. */
const maxForeignEntries = 8;
/**
 * How long the entry of another policy is kept after it has drained, in ms. A limit without an entry inherits what others owe, so
 * dropping it at once would make a client that waited for its `retryAfter` wait again.
 */
const keepDrainedMs = 86_400_000;

/** Whether two limits count the same way, so that a bucket treats them as one. */
export function isSameLimit(a: Limit | undefined, b: Limit): boolean {
  return a === b || a?.fingerprint === b.fingerprint;
}

/** Takes `cost` tokens from every limit of the policy, or from none. `now` is the backend's clock in whole milliseconds. */
export function takeFromBucket(stored: Bucket, policy: Policy, cost: number, now: number): BucketChange {
  const before = unlessOver(stored, now);
  const { limits, blockMs } = policy;
  const found = readEntries(before, policy, now);
  const left = clamped(policy, found);
  const fitsAll = limits.every((limit, i) => fits(limit, left[i] as number, cost));
  const allowed = fitsAll && (cost === 0 || found.blockedMs === 0);
  const used = allowed ? limits.map((limit, i) => (left[i] as number) + cost * limit.unitsPerToken) : left;
  const startsBlock = !allowed && cost > 0 && blockMs > 0 && found.blockedMs === 0;
  const blockedMs = startsBlock ? blockMs : found.blockedMs;
  // A refusal, or a call of cost 0, is stored only if its retryAfter would otherwise be wrong.
  const mustStore = startsBlock || found.inherits || found.used.some((units, i) => units > (left[i] as number));
  return {
    reply: { allowed, used: oneOrAll(used), ...blocked(blockedMs) },
    bucket: (cost > 0 && allowed) || mustStore ? writeEntries(before, policy, used, blockedMs, now) : undefined,
  };
}

/** Charges `tokens` (> 0), even if fewer are left, or gives them back (< 0). `now` is the backend's clock in whole milliseconds. */
export function adjustBucket(stored: Bucket, policy: Policy, tokens: number, now: number): BucketChange {
  const before = unlessOver(stored, now);
  const found = readEntries(before, policy, now);
  const left = clamped(policy, found);
  const used = policy.limits.map((limit, i) => adjusted(limit, left[i] as number, tokens));
  const uncharged = Math.max(...policy.limits.map((limit, i) => unchargedOf(limit, left[i] as number, tokens)));
  return {
    reply: { allowed: true, used: oneOrAll(used), uncharged, ...blocked(found.blockedMs) },
    bucket: writeEntries(before, policy, used, found.blockedMs, now),
  };
}

/** Returns the bucket with a block of at least `ms` milliseconds. Entries of limits stay as they are. */
export function blockBucket(stored: Bucket, ms: number, now: number): Bucket {
  const before = unlessOver(stored, now);
  const kept = before.filter(({ limit, fullAt }) => limit !== undefined && fullAt > now - keepDrainedMs);
  const blocks = before.filter(({ limit }) => limit === undefined);
  return [...kept, { limit: undefined, fullAt: Math.max(now + ms, ...blocks.map(({ fullAt }) => fullAt)), slack: 0 }];
}

/** The time by the backend's clock from which on the bucket is full and its block is over, so that it may be deleted. */
export function bucketFullAt(bucket: Bucket): number {
  return Math.max(...bucket.map(({ fullAt }) => fullAt));
}

/** A bucket that is over is full, whether or not the backend has deleted it yet. */
function unlessOver(bucket: Bucket, now: number): Bucket {
  return bucketFullAt(bucket) <= now ? [] : bucket;
}

/** What a policy finds in a bucket. */
export interface Found {
  /** Units in use of each limit. If the clock stepped back, this may exceed the debt ceiling. */
  readonly used: readonly number[];
  /** Whether a limit has no entry of its own and starts with what other policies' entries owe: even a refusal must store that. */
  readonly inherits: boolean;
  readonly blockedMs: number;
}

/** Reads entries from the point of view of a policy. */
export function readEntries(entries: Bucket, { limits }: Policy, now: number): Found {
  let [owedMs, blockedMs] = [0, 0];
  for (const { limit, fullAt } of entries) {
    if (limit === undefined) blockedMs = Math.max(0, fullAt - now);
    else if (!limits.some((own) => isSameLimit(limit, own))) owedMs = Math.max(owedMs, fullAt - now);
  }
  let inherits = false;
  const used = limits.map((limit) => {
    const entry = entries.find((candidate) => isSameLimit(candidate.limit, limit));
    if (entry !== undefined) return usedOf(limit, entry.fullAt - now, entry.slack);
    inherits ||= owedMs > 0;
    return Math.min(limit.capacityUnits, owedMs * limit.unitsPerMs);
  });
  return { used, inherits, blockedMs };
}

/** Returns the entries after a call: the policy's own, those of other policies, and the block. */
export function writeEntries(
  before: Bucket,
  { limits }: Policy,
  used: readonly number[],
  blockedMs: number,
  now: number,
): readonly Entry[] {
  const foreign = foreignEntries(before, limits, now);
  const entries: Entry[] = [];
  for (const [i, limit] of limits.entries()) {
    const units = used[i] as number;
    const isNeeded = (units > 0 || foreign.length > 0) && !entries.some((entry) => isSameLimit(entry.limit, limit));
    if (isNeeded) entries.push({ limit, fullAt: now + msUntilFull(limit, units), slack: slackUnits(limit, units) });
  }
  entries.push(...foreign);
  return blockedMs > 0 ? [...entries, { limit: undefined, fullAt: now + blockedMs, slack: 0 }] : entries;
}

function foreignEntries(entries: readonly Entry[], limits: readonly Limit[], now: number): Entry[] {
  const foreign = entries.filter(
    ({ limit, fullAt }) => limit !== undefined && fullAt > now - keepDrainedMs && !limits.some((own) => isSameLimit(limit, own)),
  );
  while (foreign.length > maxForeignEntries) foreign.splice(nearestFull(foreign), 1);
  return foreign;
}

function nearestFull(entries: readonly Entry[]): number {
  let nearest = 0;
  for (const [i, { fullAt }] of entries.entries()) if (fullAt <= (entries[nearest] as Entry).fullAt) nearest = i;
  return nearest;
}

function clamped({ limits }: Policy, { used }: Found): number[] {
  return limits.map((limit, i) => Math.min(used[i] as number, debtCeiling(limit)));
}

function oneOrAll(used: readonly number[]): number | readonly number[] {
  return used.length === 1 ? (used[0] as number) : used;
}

function blocked(blockedMs: number): { blockedMs?: number } {
  return blockedMs > 0 ? { blockedMs } : {};
}
