import { aheadOf, slackOf, usedOf } from "./bucket.ts";
import type { Limit, Policy } from "./policy.ts";

/** One limit of a bucket in a table: when it is full again, in ms of the table's clock, less `slack` units. */
interface Entry {
  /** Of its limit; "" where the policy that wrote it had no other. */
  readonly name: string;
  readonly fullAt: number;
  readonly slack: number;
}

/** A bucket in a table. One limit, the common case, is a number and costs little or no object: its `fullAt`, and as the fraction its slack. */
export type Stored = number | readonly Entry[];

/** What a slack of 1 is in the fraction of such a number, and up to where the number has the bits for it: 49 days. */
const [slackBits, slacksInOne, latest] = [2 ** -20, 2 ** 20, 2 ** 32];

/**
 * Units in use of the i-th limit, as the bucket says; a clock that stepped back or a lowered limit may say more than there can be.
 *
 * Limits are found by name, so that they can be reordered, added and removed: one without an entry is full.
 * What a policy of one wrote belongs to the first of several; a policy of one takes the entry of its name, else the first.
 */
export function usedIn(stored: Stored | undefined, { limits }: Policy, i: number, now: number): number {
  const limit = limits[i] as Limit;
  if (typeof stored === "number") return i === 0 ? usedInOne(stored, limit, now) : 0;
  const entry =
    stored?.find(({ name }) => name === limit.name || (name === "" && i === 0)) ?? (limits.length === 1 ? stored?.[0] : undefined);
  return entry === undefined ? 0 : usedOf(limit, entry.fullAt - now, entry.slack);
}

/** The same of a bucket that is a number. */
export function usedInOne(stored: number, limit: Limit, now: number): number {
  const fullAt = Math.floor(stored);
  return usedOf(limit, fullAt - now, (stored - fullAt) * slacksInOne);
}

/** The bucket of a policy's only limit. */
export function storeOne(limit: Limit, used: number, now: number): Stored | undefined {
  if (used === 0) return undefined;
  const fullAt = now + aheadOf(limit, used);
  const slack = limit.r === 1 ? 0 : slackOf(limit, used);
  const isNumber = slack * slackBits < 1 && Math.abs(fullAt) < latest;
  return isNumber ? fullAt + slack * slackBits : [{ name: "", fullAt, slack }];
}

/** The bucket of any policy; a full one is not kept. */
export function stored({ limits }: Policy, used: readonly number[], now: number): Stored | undefined {
  if (limits.length === 1) return storeOne(limits[0], used[0] as number, now);
  const entries = limits
    .map((limit, i) => ({ limit, units: used[i] as number }))
    .filter(({ units }) => units > 0)
    .map(({ limit, units }) => ({ name: limit.name, fullAt: now + aheadOf(limit, units), slack: slackOf(limit, units) }));
  return entries.length === 0 ? undefined : entries;
}

/** When the whole bucket is full. */
export function fullAtOf(stored: Stored): number {
  return typeof stored === "number" ? Math.floor(stored) : Math.max(...stored.map(({ fullAt }) => fullAt));
}
