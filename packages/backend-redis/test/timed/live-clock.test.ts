import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import type { Limit, Policy } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { strictAsked } from "../support/strict.ts";
import { policyOf } from "../support/traces.ts";

const backend = new RedisBackend({ url: inject("redis").url, ...strictAsked });
afterAll(() => backend.close());
// The first call waits for the connection, which would make its time too uncertain.
beforeAll(() => backend.reset({ prefix: "ratelimit:", policy: policies[0] as Policy }, "nobody"));

const policies = [
  [{ name: "a", rate: 7, periodMs: 40, burst: 9 }],
  [{ name: "a", rate: 1, periodMs: 5, burst: 4 }],
  [
    { name: "a", rate: 700, periodMs: 1000, burst: 20 },
    { name: "b", rate: 3, periodMs: 10, burst: 30 },
  ],
  [
    { name: "a", rate: 7001, periodMs: 1000, burst: 40 },
    { name: "b", rate: 1, periodMs: 3, burst: 25 },
    { name: "c", rate: 1000, periodMs: 60_000, burst: 1000 },
  ],
].map((limits) => policyOf({ limits, blockMs: 0 }));

/** The period in which Redis decided a call, in ms of the caller's clock, which runs as fast as that of Redis. */
interface Moment {
  readonly from: number;
  readonly to: number;
}

/** Lower and upper bounds on the units in use before a call. */
interface Known {
  readonly least: number;
  readonly most: number;
}

test.each(policies)(
  "on the live clock, 1200 replies fit the times at which they were given: $limits.length limits of $limits.0.rate",
  async (policy) => {
    const scope = { prefix: `ratelimit:${randomUUID()}:`, policy };
    const { limits } = policy;
    let used: readonly number[] = limits.map(() => 0);
    let last: Moment = { from: 0, to: 0 };
    const seen = { admitted: 0, refused: 0 };
    for (let i = 0; i < 1200; i++) {
      if (i % 7 === 0) await sleep(i % 4);
      const cost = (i * 7) % 4;
      const adjusts = i % 11 === 0;
      const from = performance.now();
      const take = await (adjusts ? backend.adjust(scope, "key", cost - 1) : backend.take(scope, "key", cost));
      const moment = { from, to: performance.now() };
      const known = limits.map((limit, l) => drained(limit, used[l] as number, last, moment));
      used = [take.used].flat();
      if (adjusts) assertAdjusted(limits, known, cost - 1, used);
      else assertTaken(limits, known, cost, take.allowed, used);
      last = moment;
      if (!adjusts && cost > 0) seen[take.allowed ? "admitted" : "refused"]++;
    }
    expect(seen.admitted).toBeGreaterThan(20);
    expect(seen.refused).toBeGreaterThan(20);
  },
);

/** Returns how much of `used` is left after draining from one moment to another. */
function drained({ unitsPerMs: r }: Limit, used: number, before: Moment, after: Moment): Known {
  // Redis counts whole ms. Before 7.2 it may write 1 ms after it has read, which makes the bucket full 1 ms later.
  const [longest, shortest] = [Math.ceil(after.to - before.from) + 1, Math.max(0, Math.floor(after.from - before.to) - 2)];
  return { least: Math.max(0, used - longest * r), most: Math.max(0, used - shortest * r) };
}

function assertTaken(limits: Policy["limits"], known: readonly Known[], cost: number, allowed: boolean, used: readonly number[]): void {
  const units = limits.map(({ unitsPerToken: p }) => cost * p);
  const certain = limits.every(({ capacityUnits: full }, l) => (known[l] as Known).most + (units[l] as number) <= full);
  const possible = limits.every(({ capacityUnits: full }, l) => (known[l] as Known).least + (units[l] as number) <= full);
  assert.ok(allowed ? possible : !certain, `${allowed ? "admitted" : "refused"} a cost of ${cost} at ${JSON.stringify(known)}`);
  assertWithin(
    known,
    used.map((after, l) => after - (allowed ? (units[l] as number) : 0)),
  );
}

function assertAdjusted(limits: Policy["limits"], known: readonly Known[], tokens: number, used: readonly number[]): void {
  const shift = ({ unitsPerToken: p, capacityUnits: full }: Limit, units: number): number =>
    Math.min(2 * full, Math.max(0, units + tokens * p));
  const expected = known.map(({ least, most }, l) => ({ least: shift(limits[l] as Limit, least), most: shift(limits[l] as Limit, most) }));
  assertWithin(expected, used);
}

function assertWithin(known: readonly Known[], used: readonly number[]): void {
  for (const [l, { least, most }] of known.entries()) {
    const units = used[l] as number;
    assert.ok(units >= least && units <= most, `limit ${l}: ${units} units in use, neither less than ${least} nor more than ${most}`);
  }
}
