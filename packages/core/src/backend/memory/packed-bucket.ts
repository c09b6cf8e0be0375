/** How this process stores a bucket in little memory. */

import type { Limit } from "../../policy/policy.ts";
import { msUntilFull, slackUnits, usedOf } from "../../policy/token-bucket.ts";
import { type Bucket, bucketFullAt, type Entry, isSameLimit } from "../bucket.ts";

/**
 * Nearly every bucket has a single entry and is stored as a number: the integer part is `fullAt`, the fraction is the slack. The map that
 * stores it determines which limit it belongs to.
 */
export type PackedBucket = number | Bucket;

/** A slack of 1 as a fraction, its inverse, and the largest `fullAt` that leaves enough bits for the fraction: 49 days. */
const [slackBit, slackScale, latestNumber] = [2 ** -20, 2 ** 20, 2 ** 32];

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
export function entriesOf(packed: PackedBucket, limit: Limit, now: number): Bucket {
  const fullAt = fullAtOf(packed);
  if (fullAt <= now) return [];
  return typeof packed === "number" ? [{ limit, fullAt, slack: (packed - fullAt) * slackScale }] : packed;
}

/** Packs entries for a map whose numbers belong to `limit`; `undefined` for a full bucket, which is not stored. */
export function pack(entries: Bucket, limit: Limit, now: number): PackedBucket | undefined {
  if (entries.every(({ fullAt }) => fullAt <= now)) return undefined;
  const [only] = entries;
  if (entries.length > 1 || !isSameLimit(only?.limit, limit)) return entries;
  const { fullAt, slack } = only as Entry;
  return slack * slackBit < 1 && Math.abs(fullAt) < latestNumber ? fullAt + slack * slackBit : entries;
}

/** The time at which the whole bucket is full and its block is over. */
export function fullAtOf(packed: PackedBucket): number {
  return typeof packed === "number" ? Math.floor(packed) : bucketFullAt(packed);
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
