import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LimitOptions, PolicyOptions } from "@ratelimit/core";
import type {} from "@ratelimit/testbed";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { Deployed, Seen } from "../support/deployed.ts";

const { url } = inject("redis");

let program: Bundle;
beforeAll(async () => {
  program = await bundle(join(import.meta.dirname, "../support/deployed.ts"));
}, 60_000);
afterAll(() => program[Symbol.asyncDispose]());

type Several = [LimitOptions, ...LimitOptions[]];
const limit = (name: string, rate: number, period: LimitOptions["period"]): LimitOptions => ({ name, rate, period });
const [minute, hour, second] = [limit("minute", 100, "1m"), limit("hour", 1000, "1h"), limit("second", 20, "1s")];

describe.concurrent("each policy keeps its own bound while old and new processes use one key", () => {
  test.each<{ what: string; old: Several; new: Several; processes?: number }>([
    { what: "two of four processes have the old policy", old: [hour], new: [minute], processes: 2 },
    { what: "a limit is added", old: [limit("hour", 60, "1h")], new: [second, limit("hour", 60, "1h")] },
    { what: "a limit is lowered", old: [hour], new: [limit("hour", 100, "1h")] },
    { what: "a limit is raised", old: [limit("hour", 100, "1h")], new: [hour] },
    { what: "limits are renamed and reordered", old: [second, hour], new: [limit("a", 1000, "1h"), limit("b", 20, "1s")] },
    { what: "two services use one name by accident", old: [limit("minute", 50, "1m")], new: [second, limit("hour", 300, "1h")] },
  ])("when $what", { timeout: 30_000 }, async ({ old, new: newer, processes = 1 }) => {
    const name = randomUUID();
    const job = (limits: Several): Deployed => ({ url, name, policy: { limits }, how: "takes", ms: 1500 });
    const [olds, news] = await Promise.all(
      [old, newer].map((limits) => Promise.all(Array.from({ length: processes }, () => run(job(limits))))),
    );
    for (const each of [...old, ...newer]) {
      const counted = [...(has(old, each) ? (olds as Seen[]) : []), ...(has(newer, each) ? (news as Seen[]) : [])];
      const seconds = Math.max(...counted.map((seen) => seen.seconds)) + 1;
      const bound = each.rate + each.rate * (seconds / secondsOf(each));
      expect(
        counted.reduce((sum, { admitted }) => sum + admitted, 0),
        each.name,
      ).toBeLessThanOrEqual(bound);
    }
    expect([...(olds as Seen[]), ...(news as Seen[])].every(({ refused }) => refused > 0)).toBe(true);
  });
});

test("no client waits longer than its retryAfter, although other policies use the key", { timeout: 30_000 }, async () => {
  const name = randomUUID();
  const job = (policy: PolicyOptions): Deployed => ({ url, name, policy, how: "waits", ms: 3000 });
  const seen = await Promise.all([
    run(job({ rate: 9, period: 1, burst: 1 })),
    run(job({ rate: 50, period: 60, burst: 2 })),
    run(job({ rate: 7, period: 2, burst: 3 })),
  ]);
  for (const { admitted, refused, broken } of seen) {
    expect(broken).toBe(0);
    expect(admitted).toBeGreaterThan(1);
    expect(refused).toBeGreaterThan(1);
  }
});

function has(limits: Several, { rate, period }: LimitOptions): boolean {
  return limits.some((other) => other.rate === rate && other.period === period);
}

function secondsOf({ period }: LimitOptions): number {
  return { "1s": 1, "1m": 60, "1h": 3600 }[period as string] as number;
}

async function run(job: Deployed): Promise<Seen> {
  const { stdout } = await promisify(execFile)(process.execPath, [program.path, JSON.stringify(job)], { timeout: 20_000 });
  return JSON.parse(stdout) as Seen;
}
