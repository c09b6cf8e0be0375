import { type Standalone, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { machine } from "../src/machine.ts";
import { costsOf } from "../src/scale/costs.ts";
import { callerKey, keyLength, limiterName, prefixOf } from "../src/scale/keys.ts";
import { measureRound, type Sample } from "../src/scale/measure.ts";
import { fill, openSite, read } from "../src/scale/site.ts";
import { open, type Round } from "../src/scale/station.ts";
import { flatGoals, groupTable } from "../src/scale/tables.ts";
import { flightGroup, type Group, keyGroup, limiterGroup, limitGroup, processGroup } from "../src/scale/variants.ts";

let redis: Standalone;

beforeAll(async () => {
  redis = await startStandalone();
});

afterAll(async () => {
  await redis.stop();
});

test("all stored keys have the same length", () => {
  const key = (limiter: number, i: number): string => `${prefixOf(limiter)}${limiterName(limiter)}:${callerKey(i)}`;
  expect([key(0, 0), key(999, 10_000_000)].map(({ length }) => length)).toEqual([keyLength, keyLength]);
});

test("a process proves that it limits, and refuses most calls of a used-up key without Redis", async () => {
  const setup = { servers: [redis.server.address], cluster: false, prefix: prefixOf(1), limiters: 3, limits: 2, keys: 10, connections: 2 };
  const answers = open(setup);
  const ask = <T>(question: string, args: object = {}): Promise<T> => answers[question]?.(args as never) as Promise<T>;
  await ask("prove");
  // Each of the eight calls in flight is made at least once.
  expect((await ask<Round>("round", { inFlight: 4, ms: 50 })).calls).toBeGreaterThanOrEqual(8);
  const client = new Redis(redis.url);
  await client.config("RESETSTAT");
  const { calls } = await ask<Round>("refuse", { perSecond: 1, ms: 500 });
  const scripts = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info("commandstats"))?.[1]);
  client.disconnect();
  expect(scripts).toBeGreaterThanOrEqual(1);
  expect(calls).toBeGreaterThan(2 * scripts);
});

test("a site reads what its servers spend, and a fill is found by the limiter", async () => {
  await using site = await openSite("no Cluster");
  const bytes = await fill(site, { count: 2000, value: "1" });
  expect(bytes).toBeGreaterThan(keyLength);
  expect(await site.clients[0]?.get(`${prefixOf(0)}${limiterName(0)}:${callerKey(1999)}`)).toBe("1");
  expect(await site.clients[0]?.dbsize()).toBe(2000);
  const before = await read(site);
  const sample = await measureRound(site, async () => {
    await site.clients[0]?.ping();
    return [{ calls: 1, cpuUs: 3, wallMs: 2 }];
  });
  expect(sample).toMatchObject({ perSecond: 500, clientUs: 3, scripts: 0 });
  // A PING and its reply, and the INFO that begins the measurement; its own reply is not counted.
  expect(sample.outBytes).toBeLessThan(50);
  expect((await read(site)).cpuUs).toBeGreaterThan(before.cpuUs);
});

/** Two rounds of every variant of a group. The machine is twice as slow in the second. */
function rounds(group: Group, of: (variant: Group["variants"][number]) => Partial<Sample>): Record<string, Sample[]> {
  const usual = { perSecond: 1000, redisUs: 10, clientUs: 20, scripts: 1, reads: 0.1, inBytes: 150, outBytes: 10 };
  return Object.fromEntries(
    group.variants.map((variant) => {
      const sample = { ...usual, ...of(variant) };
      return [variant.name, [sample, { ...sample, redisUs: 2 * sample.redisUs, clientUs: 2 * sample.clientUs }]];
    }),
  );
}

const keys = keyGroup([1000, 10_000, 10_000_000]);
const samples = {
  // 9 for the check and 10 for each write.
  flight: rounds(flightGroup, ({ connections }) =>
    connections > 1 ? { redisUs: 19, clientUs: 38, reads: 1, inBytes: 150 } : { redisUs: 10, clientUs: 20, reads: 0.1 },
  ),
  // Three times as slow as the machine was for the other tables, and 10% of the first limit's time for each further limit.
  limits: rounds(limitGroup, ({ limits }) => ({
    redisUs: 30 + 3 * (limits - 1),
    clientUs: 60 + 6 * (limits - 1),
    inBytes: 150 + 50 * (limits - 1),
    outBytes: 10 + 12 * (limits - 1),
  })),
  keys: rounds(keys, (variant) => ({ redisUs: variant.keys > 10_000 ? 15 : 10 })),
};

test("the costs of a check follow from ratios within each table", () => {
  const memory = {
    byLength: new Map([
      [32, 150],
      [128, 246],
    ]),
    perExtraLimit: 27,
    perConnection: 2200,
    connectionsPerMaster: 1,
  };
  expect(costsOf({ ...samples, keyGroup: keys, memory, localRefusalUs: 0.5 }, machine(), "7.0.15")).toMatchObject({
    redis: { perCheck: 9, perWrite: 10, perExtraLimit: 1, manyKeys: 5 },
    client: { perCheck: 18, perWrite: 20, perExtraLimit: 2, perLocalRefusal: 0.5 },
    request: { fixed: 118, perExtraLimit: 50 },
    reply: { fixed: 10, perExtraLimit: 12 },
    storedKey: { fixed: 118, perCharacter: 1, perExtraLimit: 27 },
    connection: { perMaster: 1, bytes: 2200 },
  });
});

test("a table shows multiples of its first row, and a cost that grows misses a goal", () => {
  const { rows } = groupTable({ group: limitGroup, samples: samples.limits });
  expect(rows.at(-1)?.slice(0, 4)).toEqual(["8 limits", "1000", "76.5", "1.70"]);
  const measured = [
    { group: processGroup, samples: rounds(processGroup, ({ processes }) => ({ redisUs: processes === 4 ? 16 : 10 })) },
    { group: limiterGroup, samples: rounds(limiterGroup, () => ({})) },
    { group: limitGroup, samples: samples.limits },
    { group: keys, samples: samples.keys },
  ];
  expect(
    flatGoals(measured)
      .filter(({ met }) => !met)
      .map(({ what }) => what),
  ).toEqual(["Redis CPU per decision: 1 master, 4 processes", "Redis CPU per decision: 3 masters, 4 processes"]);
});
