import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sizingOf } from "../src/report/sizing.ts";
import type { Costs } from "../src/size/costs.ts";
import { type Load, type Server, type Sizing, sizeOf } from "../src/size/model.ts";
import { cli, json } from "./support/cli.ts";
import { folder } from "./support/folder.ts";

/** Round costs, so that every expected figure can be calculated in the head. */
const costs: Costs = {
  date: "2026-01-02",
  machine: "a machine",
  redis: { perCheck: 6, perWrite: 4, perExtraLimit: 2, manyKeys: 0 },
  client: { perCheck: 10, perWrite: 10, perExtraLimit: 1, perLocalRefusal: 1 },
  request: { fixed: 102, perExtraLimit: 50 },
  reply: { fixed: 34, perExtraLimit: 10 },
  storedKey: { fixed: 68, perCharacter: 1, perExtraLimit: 20 },
  connection: { perMaster: 1, bytes: 1000 },
};
const server: Server = { memoryBytes: 1e9, networkBitsPerSecond: 1e9 };

/** Ten decisions a second for each of 1,000 keys, half of what their limit admits. A check costs Redis 10 µs. */
const load: Load = {
  rps: 10_000,
  keys: 1000,
  limits: [{ rate: 20, periodMs: 1000, burst: 20 }],
  processes: 10,
  keyLength: 32,
  hottest: 0,
  leaseMs: undefined,
  checksPerWrite: 1,
};

/** A number that differs from this one only by how computers round. */
function near(value: number, digits?: number): number {
  return expect.closeTo(value, digits) as number;
}

function size(differs: Partial<Load>, costsDiffer: Partial<Costs> = {}): Sizing {
  return sizeOf({ ...load, ...differs }, server, { ...costs, ...costsDiffer });
}

describe("a load under its limit", () => {
  test("calls Redis for every decision", () => {
    expect(size({})).toMatchObject({ admitted: 10_000, calls: 10_000, hottestCalls: 10, masters: 1, redisCores: 0.1, clientCores: 0.2 });
  });

  test("stores a key for the time in which its tokens flow back", () => {
    // A token takes 50 ms, and each key takes 10 of them a second.
    expect(size({})).toMatchObject({ storedKeys: 500, storedBytes: 50_000 });
    expect(
      size({
        limits: [
          { rate: 20, periodMs: 1000, burst: 20 },
          { rate: 100, periodMs: 10_000, burst: 100 },
        ],
      }),
    ).toMatchObject({ storedKeys: 1000, storedBytes: 120_000 });
    expect(size({ keyLength: 132 })).toMatchObject({ storedBytes: 100_000 });
  });

  test("sends packets of 66 bytes more than Redis counts, fewer of them if checks share a write", () => {
    // 102 + 32 + 66 bytes for the request, 34 + 66 for the reply.
    expect(size({})).toMatchObject({ requestBitsPerSecond: 16e6, replyBitsPerSecond: 8e6, perCall: { redisUs: 10, clientUs: 20 } });
    expect(size({ checksPerWrite: 2 }).perCall).toEqual({ redisUs: 8, clientUs: 15, requestBytes: 167, replyBytes: 67 });
  });

  test("pays for each further limit", () => {
    const limits = [1, 2, 3].map((rate) => ({ rate: rate * 1000, periodMs: 1000, burst: rate * 1000 }));
    expect(size({ limits }).perCall).toEqual({ redisUs: 14, clientUs: 22, requestBytes: 300, replyBytes: 120 });
  });

  test("pays for caches that no longer hold the keys: a quarter of it at 316,000 keys on a master", () => {
    const redis = { ...costs.redis, manyKeys: 6 };
    const large = { ...server, memoryBytes: 1e12 };
    const stored = { limits: [{ rate: 1, periodMs: 1_000_000_000, burst: 1 }], rps: 1000 };
    const us = (keys: number): number => sizeOf({ ...load, ...stored, keys }, large, { ...costs, redis }).perCall.redisUs;
    expect([1000, 10_000, 10 ** 5.5, 10_000_000].map(us)).toEqual([10, 10, near(11.5), 16]);
  });
});

describe("masters", () => {
  test.for([
    { rps: 60_000, masters: 1 },
    { rps: 60_001, masters: 3 }, // two have no majority
    { rps: 180_000, masters: 3 },
    { rps: 180_060, masters: 4 },
    { rps: 6_000_000, masters: 100 },
  ])("$rps decisions of 10 µs need $masters masters", ({ rps, masters }) => {
    expect(size({ rps, keys: 1_000_000, processes: 100 }).masters).toBe(masters);
  });

  test("memory decides if there are many keys", () => {
    // 100 bytes each, 600 MB planned.
    const stored = { limits: [{ rate: 1, periodMs: 1_000_000_000, burst: 1 }], rps: 60_000, keys: 30_000_000, processes: 100 };
    expect(size(stored)).toMatchObject({ masters: 6, failsFirst: { resource: "memory" } });
  });

  test("one key is never carried by two of them", () => {
    const limits = [{ rate: 1_000_000, periodMs: 1000, burst: 1_000_000 }];
    // 40,000 calls a second on the busiest key are 0.4 cores, so each master can take 20,000 of the other 360,000.
    const hot = size({ rps: 400_000, keys: 1_000_001, hottest: 0.1, limits, processes: 1000 });
    expect(hot).toMatchObject({
      hottestCalls: 40_000,
      masters: 18,
      failsFirst: { resource: "the busiest key", atTimes: near(1 / 0.6) },
    });
    // Ten times as many fit nowhere.
    expect(size({ rps: 4_000_000, keys: 1_000_001, hottest: 0.1, limits, processes: 1000 }).failsFirst).toEqual({
      resource: "the busiest key",
      atTimes: near(1 / (4 + 36 / 60), 2),
    });
  });
});

describe("what fails first", () => {
  test.for<[Partial<Load>, Sizing["failsFirst"]["resource"], number]>([
    [{}, "Redis CPU", 10],
    [{ processes: 5000 }, "connections", 2],
    [{ processes: 20_000 }, "connections", 0.5],
    [{ processes: 1 }, "process CPU", 5],
    [{ rps: 72_000_000, keys: 100_000_000, processes: 5000 }, "nodes", 1000 / 1200],
    [{ rps: 20, keys: 100, processes: 1 }, "process CPU", 2500],
  ])("%j: %s at %d times", ([differs, resource, atTimes]) => {
    expect(size(differs).failsFirst).toEqual({ resource, atTimes: near(atTimes) });
  });

  test("the number of nodes, only if there is a Cluster", () => {
    const names = (rps: number): string[] => size({ rps, keys: 1_000_000 }).resources.map(({ name }) => name);
    expect(names(60_000)).not.toContain("nodes");
    expect(names(60_001)).toContain("nodes");
  });

  test("the network, if it is slow", () => {
    const slow = { ...server, networkBitsPerSecond: 20e6 };
    // 16 Mbit/s are more than the planned 12.
    expect(sizeOf(load, slow, costs)).toMatchObject({
      masters: 3,
      failsFirst: { resource: "network", atTimes: near(20 / (16 / 3)) },
    });
  });
});

describe("refusals", () => {
  const attacked = { keys: 1, rps: 50_000, processes: 10 };

  test("a process asks Redis twice for each token", () => {
    expect(size({ ...attacked, limits: [{ rate: 20, periodMs: 1000, burst: 20 }] })).toMatchObject({
      admitted: 20,
      calls: near(400),
      storedKeys: 1,
    });
  });

  test("and at least twice a second", () => {
    expect(size({ ...attacked, limits: [{ rate: 1, periodMs: 60_000, burst: 1 }] }).calls).toBeCloseTo(20);
  });

  test("no more than it is asked itself", () => {
    const { calls } = size({ ...attacked, rps: 40_000, limits: [{ rate: 20_000, periodMs: 1000, burst: 20_000 }] });
    expect(calls).toBeLessThan(40_000);
    expect(calls).toBeGreaterThan(35_000);
  });

  test("cost the process little", () => {
    // 400 calls of 20 µs, 49,600 refusals of 1 µs.
    expect(size({ ...attacked, limits: [{ rate: 20, periodMs: 1000, burst: 20 }] }).clientCores).toBeCloseTo(0.0576);
  });
});

describe("leases", () => {
  const hot = { keys: 1001, rps: 100_000, hottest: 0.5, limits: [{ rate: 1_000_000, periodMs: 1000, burst: 1_000_000 }], processes: 8 };

  test("a process asks Redis once in the time of the lease", () => {
    expect(size({ ...hot, leaseMs: 200 })).toMatchObject({ hottestCalls: 40, calls: 50_040 });
  });

  test("take at most a quarter of the bucket in advance", () => {
    const limits = [{ rate: 1_000_000, periodMs: 1000, burst: 400_000 }];
    expect(size({ ...hot, limits, leaseMs: 200 }).hottestCalls).toBeCloseTo(80);
  });

  test("agree with the figures of a simulation of eight processes and 1,000 tokens a second", () => {
    const perDecision = (times: number): number => {
      const rps = 1000 * times;
      return size({ keys: 1, rps, limits: [{ rate: 1000, periodMs: 1000, burst: 1000 }], processes: 8, leaseMs: 200 }).calls / rps;
    };
    expect(perDecision(0.5)).toBeCloseTo(0.08);
    expect(perDecision(2)).toBeCloseTo(0.02);
    expect(perDecision(20)).toBeCloseTo(0.002);
  });

  test("need five tokens and, in each process, five calls in their time", () => {
    const one = { keys: 1, hottest: 1, processes: 10, leaseMs: 100 };
    const calls = (rps: number, rate: number): number => size({ ...one, rps, limits: [{ rate, periodMs: 1000, burst: rate }] }).calls;
    expect([calls(500, 1000), calls(499, 1000)]).toEqual([100, 499]);
    expect(calls(500, 50)).toBe(100);
    expect(calls(500, 49)).toBeGreaterThan(300);
  });

  test("the report compares with and without, and proposes one of 50 ms", () => {
    const limits = [{ rate: 1_000_000, periodMs: 1000, burst: 1_000_000 }];
    const report = sizingOf({ ...load, ...hot, limits, rps: 300_000 }, server, costs, "1000000/1s");
    expect(report.lease).toMatchObject({ ms: 50, isUsed: false, callsWithout: 300_000, callsWith: 150_160, mastersWith: 3 });
    expect(report.calls).toBe(300_000);
    expect(sizingOf({ ...load, ...hot, limits, leaseMs: 200 }, server, costs, "1000000/1s").lease).toMatchObject({
      ms: 200,
      isUsed: true,
      callsWith: 50_040,
    });
  });
});

describe("the command", () => {
  const costsFile = (text: string): string => {
    const path = join(folder(), "scale.costs.json");
    writeFileSync(path, text);
    return path;
  };

  test("prints what the model calculates, with the costs of a file", async () => {
    const args = ["size", "--rps", "10000", "--keys", "1000", "--limit", "20/1s", "--processes", "10", "--memory", "1"];
    const report = await json<Sizing & { costs: object }>([...args, "--costs", costsFile(JSON.stringify(costs))]);
    expect(report).toMatchObject(size({}));
    expect(report.costs).toEqual({ date: "2026-01-02", machine: "a machine" });
  });

  test("for a terminal", async () => {
    const { stdout } = await cli([
      ...["size", "--rps", "400000", "--keys", "1000001", "--limit", "1000000/1s", "--hottest", "10%", "--lease", "200ms"],
      ...["--costs", costsFile(JSON.stringify(costs))],
    ]);
    expect(stdout).toMatchInlineSnapshot(`
      "400,000 decisions per second, 1,000,001 keys with 1000000/1s, 400 processes
      7 masters are enough. At 1.9 times this load, the CPU of the masters runs out first; to go further, add masters.

      in all
      admitted                      400,000/s
      calls of Redis                362,000/s
      of them for the busiest key     2,000/s
      Redis CPU                    3.62 cores
      CPU of the processes         7.28 cores
      keys stored at a time               0.4
      their memory                       40 B
      requests to Redis            579 Mbit/s
      replies                      290 Mbit/s
      connections                       2,800

      the busiest                      used        of    full
      CPU of a master           0.534 cores    1 core   53.4%
      memory of a master             400 kB      8 GB  <0.01%
      network of a master       85.5 Mbit/s  1 Gbit/s    8.5%
      connections of a master           400    10,000    4.0%
      masters in the Cluster              7     1,000   0.70%
      CPU of a process         0.0182 cores    1 core    1.8%

      The lease of 200 ms saves 9.5% of the calls of Redis, and 7 masters are enough instead of 18.

      Assumed: the busiest key gets 10.0% of the decisions, all others are equally busy; each check is sent by itself (--per-write); a master is kept below 60% of everything, so that peaks and failovers fit.

      Costs measured on 2026-01-02: a machine. To measure yours: bench scale in the repository, then --costs scale.costs.json
      "
    `);
  });

  test("a load that does not fit says what runs out and what helps", async () => {
    const { stdout } = await cli([
      "size",
      "--rps",
      "1000000",
      "--keys",
      "1",
      "--limit",
      "1000000/1s",
      "--costs",
      costsFile(JSON.stringify(costs)),
    ]);
    expect(stdout).toContain(
      "\nThis does not fit: at 0.10 times this load, the busiest key is too much for its master; try a lease: a key lives on one master",
    );
  });

  test.for([
    ["{", "it is not JSON; give --costs the scale.costs.json that bench scale wrote"],
    [JSON.stringify({ ...costs, redis: { ...costs.redis, perWrite: -1 } }), "a number `redis.perWrite` of at least 0"],
    [JSON.stringify({ ...costs, connection: undefined }), "a number `connection.perMaster` of at least 0"],
  ] as const)("%s is no calibration", async ([text, why]) => {
    const { code, stdout, stderr } = await cli(["size", "--rps", "1", "--keys", "1", "--limit", "1/1s", "--costs", costsFile(text)]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(why);
    expect(stderr.trim()).not.toContain("\n");
  });
});
