import { definePolicy, type Policy } from "@ratelimit/core";
import { type BackendReply, type KeyScope, retryMsOf } from "@ratelimit/core/backend";
import { warningsOf } from "@ratelimit/testbed/warnings";
import { describe, expect, test } from "vitest";
import type { LeasedBackend } from "../../src/lease/leased-backend.ts";
import { LeaseServer } from "../support/lease-server.ts";
import { ManualTime } from "../support/manual-time.ts";

/** A token per millisecond, 400 in a bucket. Tokens are taken 100 ms ahead and may be spent for 200 ms. */
const policy = definePolicy({ rate: 1000, period: 1, burst: 400, lease: "100ms" });

interface Bench {
  readonly time: ManualTime;
  readonly server: LeaseServer;
  readonly backend: LeasedBackend;
  readonly scope: KeyScope;
  /** Takes tokens once a millisecond for so many milliseconds. */
  readonly use: (ms: number, cost?: number) => Promise<BackendReply[]>;
}

function bench(limits: Policy = policy): Bench {
  const time = new ManualTime();
  const server = new LeaseServer(time);
  const backend = server.process();
  const scope = { prefix: "api:", policy: limits };
  const use = async (ms: number, cost: number = 1): Promise<BackendReply[]> => {
    const replies: Promise<BackendReply>[] = [];
    for (let i = 0; i < ms; i++) {
      replies.push(Promise.resolve(backend.take(scope, "key", cost)));
      await time.pass(1);
    }
    await time.pass(2);
    return Promise.all(replies);
  };
  return { time, server, backend, scope, use };
}

function sources(replies: readonly BackendReply[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { source = "backend" } of replies) counts[source] = (counts[source] ?? 0) + 1;
  return counts;
}

/** The units of all tokens in hand, by the server's books: what stays in use however long one waits. */
function held({ server, scope }: Bench): number {
  return server.bucket(scope, "key").lease({ tokens: 0, horizonMs: 1, validMs: 1, handBack: [] }).held[0] as number;
}

describe("a key", () => {
  test("that has fewer than five calls in the time of a lease asks the backend each time", async () => {
    const { server, backend, scope, time } = bench();
    for (let i = 0; i < 40; i++) {
      await Promise.all([backend.take(scope, "key", 10), time.pass(26)]);
      expect(server.asked.length).toBe(i + 1);
    }
    expect(new Set(server.asked)).toEqual(new Set(["take 10"]));
  });

  test("that is busy is decided by leases, with a call of the backend for dozens of decisions", async () => {
    const { server, use } = bench();
    const replies = await use(1000);
    expect(replies.every(({ allowed }) => allowed)).toBe(true);
    expect(sources(replies)).toEqual({ backend: 4, lease: 996 });
    expect(server.asked.length).toBeLessThan(30);
  });

  test("that stays busy waits for nobody: more tokens are asked for before they run out", async () => {
    const { backend, scope, time, use } = bench();
    await use(300);
    for (let i = 0; i < 300; i++) {
      expect(backend.take(scope, "key", 1)).toMatchObject({ allowed: true, source: "lease" });
      await time.pass(1);
    }
  });

  test("that nobody uses for the time of a lease is handed back, and then nothing is asked anymore", async () => {
    const one = bench();
    await one.use(100);
    expect(held(one)).toBeGreaterThan(0);
    await one.time.pass(99);
    expect(one.server.asked).not.toContain("hand back");
    await one.time.pass(15);
    expect(one.server.asked.at(-1)).toBe("hand back");
    expect(held(one)).toBe(0);
    const { length } = one.server.asked;
    await one.time.pass(10_000);
    expect(one.server.asked.length).toBe(length);
    expect(one.server.bucket(one.scope, "key").used).toEqual([0]);
  });

  test("with a cost above 1 takes all of its tokens or none", async () => {
    const { server, use } = bench();
    const replies = await use(400, 3);
    const admitted = replies.filter(({ allowed }) => allowed).length;
    // A full bucket, and what flowed in meanwhile; up to a lease of it may still be in hand.
    expect(3 * admitted).toBeLessThanOrEqual(800);
    expect(3 * admitted).toBeGreaterThan(700);
    expect(server.asked.length).toBeLessThan(40);
  });

  test("is admitted at its retryAfter, and not a millisecond sooner", async () => {
    const { backend, scope, time, use } = bench(definePolicy({ rate: 100, period: 1, burst: 40, lease: "100ms" }));
    const [limit] = scope.policy.limits;
    await use(200);
    let refused = 0;
    for (let i = 0; i < 20; i++) {
      const reply = await waited(time, backend.take(scope, "key", 1));
      if (reply.allowed) continue;
      refused++;
      expect(reply.source).toBe("lease");
      const ms = retryMsOf(limit, reply.used as number, 1);
      expect(ms).toBeGreaterThan(0);
      await time.pass(Math.ceil(time.now()) - time.now());
      if (ms > 1) await time.pass(ms - 1);
      if (ms > 1) expect((await waited(time, backend.take(scope, "key", 1))).allowed).toBe(false);
      await time.pass(1);
      expect((await waited(time, backend.take(scope, "key", 1))).allowed).toBe(true);
    }
    expect(refused).toBeGreaterThan(5);
  });

  test("has several limits, and each of them keeps its bound", async () => {
    const { use } = bench(
      definePolicy({
        limits: [
          { name: "fast", rate: 1000, period: 1, burst: 400 },
          { name: "slow", rate: 30_000, period: 60, burst: 450 },
        ],
        lease: "100ms",
      }),
    );
    const replies = await use(400);
    expect(replies.every(({ allowed }) => allowed)).toBe(true);
    const more = await use(600);
    const admitted = 400 + more.filter(({ allowed }) => allowed).length;
    expect(admitted).toBeLessThanOrEqual(450 + 502);
    expect(admitted).toBeGreaterThan(450 + 502 - 60);
    expect(more.find(({ source }) => source === "lease")?.used).toHaveLength(2);
  });
});

/** Waits for a reply that may need a call of the backend. */
async function waited(time: ManualTime, reply: BackendReply | Promise<BackendReply>): Promise<BackendReply> {
  if (reply instanceof Promise) await time.pass(3);
  return reply;
}

describe("tokens in hand are handed back before", () => {
  const others: Policy = definePolicy({ rate: 2000, period: 1, burst: 400, lease: "100ms" });
  test.each<[string, string, (one: Bench) => unknown]>([
    ["a peek", "take 0", ({ backend, scope }) => backend.take(scope, "key", 0)],
    ["a refund", "adjust -1", ({ backend, scope }) => backend.adjust(scope, "key", -1)],
    ["a charge", "adjust 5", ({ backend, scope }) => backend.adjust(scope, "key", 5)],
    ["a block", "block 100", ({ backend, scope }) => backend.block(scope, "key", 100)],
    ["a reset", "reset", ({ backend, scope }) => backend.reset(scope, "key")],
    ["a call under another policy", "take 1", ({ backend, scope }) => backend.take({ ...scope, policy: others }, "key", 1)],
    [
      "a call under a policy without a lease",
      "take 2",
      ({ backend, scope }) => backend.take({ ...scope, policy: definePolicy({ rate: 1 }) }, "key", 2),
    ],
    ["closing", "close", ({ backend }) => backend.close()],
  ])("%s", async (_, what, act) => {
    const one = bench();
    await one.use(150);
    expect(held(one)).toBeGreaterThan(0);
    const { length } = one.server.asked;
    const acted = Promise.resolve(act(one));
    await one.time.pass(3);
    await acted;
    expect(one.server.asked.slice(length)).toEqual(["hand back", what]);
    expect(held(one)).toBe(0);
  });

  test.each<[string, string, (one: Bench) => unknown]>([
    ["a peek", "take 0", ({ backend, scope }) => backend.take(scope, "key", 0)],
    ["a reset", "reset", ({ backend, scope }) => backend.reset(scope, "key")],
  ])("%s, also those that are granted just now", async (_, what, act) => {
    const one = bench();
    await one.use(3);
    for (let i = 0; i < 10; i++) void one.backend.take(one.scope, "key", 1);
    const acted = Promise.resolve(act(one));
    const after = Promise.resolve(one.backend.take(one.scope, "key", 1));
    await one.time.pass(5);
    await Promise.all([acted, after]);
    expect(one.server.asked.slice(-4)).toEqual(["lease", "hand back", what, "lease"]);
  });

  test("closing, also those that are granted just now; calls that wait for them are decided", async () => {
    const one = bench();
    await one.use(3);
    const replies = Array.from({ length: 10 }, () => Promise.resolve(one.backend.take(one.scope, "key", 1)));
    const closed = one.backend.close();
    await one.time.pass(60);
    await closed;
    expect((await Promise.all(replies)).every(({ allowed }) => allowed)).toBe(true);
    expect(one.server.asked.slice(-2)).toEqual(["hand back", "close"]);
    expect(held(one)).toBe(0);
  });
});

describe("a blocked key", () => {
  test("is not leased, and its calls are refused with the rest of the block", async () => {
    const one = bench();
    one.server.bucket(one.scope, "key").block(5000);
    const replies = await one.use(50);
    expect(replies.some(({ allowed }) => allowed)).toBe(false);
    expect(replies.every(({ blockedMs = 0 }) => blockedMs > 4000)).toBe(true);
    expect(one.server.asked.length).toBeLessThan(10);
  });
});

describe("an outage", () => {
  test("leaves the tokens in hand to be spent until they end, and then `outage` decides", async () => {
    const { server, use, time } = bench();
    await use(150);
    server.isOut = true;
    const replies = await use(400);
    const first = replies.findIndex(({ source }) => source === "local");
    expect(first).toBeGreaterThan(10);
    expect(replies.slice(0, first).every(({ source, allowed }) => source === "lease" && allowed)).toBe(true);
    expect(sources(replies.slice(first))).toEqual({ local: replies.length - first });
    server.isOut = false;
    await time.pass(2000);
    expect(sources(await use(100))["lease"]).toBeGreaterThan(90);
  });

  test("decides every call within the timeout, also those that wait for a lease", async () => {
    const { server, backend, scope, time, use } = bench();
    await use(3);
    server.latencyMs = 100_000;
    const replies: { source: string | undefined; ms: number }[] = [];
    for (let i = 0; i < 50; i++) {
      const start = time.now();
      void Promise.resolve(backend.take(scope, "key", 1)).then(({ source }) => replies.push({ source, ms: time.now() - start }));
      await time.pass(5);
    }
    await time.pass(200);
    expect(replies.length).toBe(50);
    expect(Math.max(...replies.map(({ ms }) => ms))).toBeLessThanOrEqual(100);
  });

  test("decides a call within the timeout even if the lease takes most of it and the call has to be sent then", async () => {
    const { server, backend, scope, time, use } = bench();
    await use(4);
    server.latencyMs = 80;
    void backend.take(scope, "key", 1);
    const start = time.now();
    const peeked = Promise.resolve(backend.take(scope, "key", 0)).then(({ source }) => ({ source, ms: time.now() - start }));
    await time.pass(300);
    expect(await peeked).toEqual({ source: "local", ms: 100 });
  });
});

test("a limit that refills fewer than five tokens in the time of a lease never leases, and warns once", async () => {
  const warnings = await warningsOf(async () => {
    const { server, use } = bench(definePolicy({ rate: 49, period: 1, burst: 100, lease: "100ms" }));
    const replies = await use(100);
    expect(sources(replies)["lease"]).toBeUndefined();
    expect(server.asked).not.toContain("lease");
  });
  expect(warnings).toEqual([expect.objectContaining({ code: "RATELIMIT_LEASE_TOO_SLOW" })]);
});
