/**
 * How a bucket is stored in this process, by the same rules as in Redis (docs/state.md).
 *
 * A bucket is a list of entries, one for each limit with units in use, identified by the limit's numbers. Calls under another policy do
 * not change the entries of this one, so two policies can take turns on one key and each keeps its own bound.
 */

import type { Limit, Policy } from "../../policy/policy.ts";
import { msUntilFull, slackUnits, usedOf } from "../../policy/token-bucket.ts";

/** One limit of a bucket: full again at `fullAt` (ms of the table's clock), less `slack` units. Without a limit, a block until `fullAt`. */
export interface Entry {
  readonly limit: Limit | undefined;
  readonly fullAt: number;
  readonly slack: number;
}

/**
 * Nearly every bucket has a single entry and is stored as a number: the integer part is `fullAt`, the fraction is the slack. The map that
 * stores it determines which limit it belongs to.
 */
export type PackedBucket = number | readonly Entry[];

/** A slack of 1 as a fraction, its inverse, and the largest `fullAt` that leaves enough bits for the fraction: 49 days. */
const [slackBit, slackScale, latestNumber] = [2 ** -20, 2 ** 20, 2 ** 32];

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

/** Returns the units in use of a limit whose entry is a number. */
export function usedInNumber(packed: number, limit: Limit, now: number): number {
  const fullAt = Math.floor(packed);
  return usedOf(limit, fullAt - now, (packed - fullAt) * slackScale);
}

/** Packs the only limit in use into a number; `undefined` if it does not fit. */
export function packNumber(limit: Limit, used: number, now: number): number | undefined {
  const fullAt = now + msUntilFull(limit, used);
  const slack = limit.unitsPerMs === 1 ? 0 : slackUnits(limit, used);
  return slack * slackBit < 1 && Math.abs(fullAt) < latestNumber ? fullAt + slack * slackBit : undefined;
}

/** Returns a bucket as a list. A number belongs to `limit`. A full bucket has no entries, as if it had been swept. */
export function entriesOf(packed: PackedBucket, limit: Limit, now: number): readonly Entry[] {
  const fullAt = fullAtOf(packed);
  if (fullAt <= now) return [];
  return typeof packed === "number" ? [{ limit, fullAt, slack: (packed - fullAt) * slackScale }] : packed;
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
export function readEntries(entries: readonly Entry[], { limits }: Policy, now: number): Found {
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
  before: readonly Entry[],
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

/** Returns the entries with a block until `until`. Entries of limits stay as they are. */
export function blockEntries(before: readonly Entry[], until: number, now: number): readonly Entry[] {
  const kept = before.filter(({ limit, fullAt }) => limit !== undefined && fullAt > now - keepDrainedMs);
  const blocks = before.filter(({ limit }) => limit === undefined);
  return [...kept, { limit: undefined, fullAt: Math.max(until, ...blocks.map(({ fullAt }) => fullAt)), slack: 0 }];
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

/** Packs entries for a map whose numbers belong to `limit`; `undefined` for a full bucket, which is not stored. */
export function pack(entries: readonly Entry[], limit: Limit, now: number): PackedBucket | undefined {
  if (entries.every(({ fullAt }) => fullAt <= now)) return undefined;
  const [only] = entries;
  if (entries.length > 1 || !isSameLimit(only?.limit, limit)) return entries;
  const { fullAt, slack } = only as Entry;
  return slack * slackBit < 1 && Math.abs(fullAt) < latestNumber ? fullAt + slack * slackBit : entries;
}

/** The time at which the whole bucket is full and its block is over. */
export function fullAtOf(packed: PackedBucket): number {
  return typeof packed === "number" ? Math.floor(packed) : Math.max(...packed.map(({ fullAt }) => fullAt));
}

/** How exhausted a bucket is: 0 if nothing is in use, above 1 if it refuses a call of cost 1. */
export function levelOf(packed: PackedBucket, limit: Limit, now: number): number {
  if (typeof packed === "number") return level(limit, usedInNumber(packed, limit, now));
  let most = 0;
  for (const { limit: own, fullAt, slack } of packed)
    if (fullAt > now) most = Math.max(most, own === undefined ? Number.POSITIVE_INFINITY : level(own, usedOf(own, fullAt - now, slack)));
  return most;
}

function level({ unitsPerToken, capacityUnits }: Limit, used: number): number {
  return used === 0 ? 0 : (used + unitsPerToken) / capacityUnits;
}
