import { createHook } from "node:async_hooks";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import { prove } from "../bench.ts";
import type { Checker } from "../memory/checker.ts";
import { keyOf } from "../memory/keys.ts";
import { proofRule } from "../memory/station.ts";
import { type SubjectId, subjects } from "../memory/subjects.ts";
import type { Answers } from "../worker.ts";

export interface Setup {
  readonly subject: SubjectId;
}

/** What keys cost, and how much of it is freed two periods later. */
export interface Kept {
  readonly bytesPerKey: number;
  readonly rssPerKey: number;
  /** CPU time for adding the keys. */
  readonly fillMs: number;
  /** The longest time that adding one key took. */
  readonly longestMs: number;
  /** The fraction of the bytes that was freed after two periods. */
  readonly givenBack: number;
  /** The longest delay of the event loop while keys were freed. */
  readonly loopMaxMs: number;
}

/** Keys that are used once each, in a table that stores at most `maxKeys`. */
export interface Flooding {
  readonly keys: number;
  readonly maxKeys: number;
  /** Whether to force 100 garbage collections during the flood, or leave them to V8. */
  readonly collects: boolean;
}

export interface Flood {
  /** The peak, above the memory that the process had before. */
  readonly rssMb: number;
  readonly nsPerKey: number;
  /** Whether a key that was refused before the flood is still refused after it. Absent for a table that refuses nothing. */
  readonly stillBlocked?: boolean;
}

/** The cost of a new key in a full table, in multiples of one in a table that has room. Buckets are nearly full (fresh) or used up (spent). */
export interface NewKeys {
  readonly fresh: number;
  readonly spent: number;
}

export function open({ subject }: Setup): Answers {
  const { name, make } = subjects[subject];
  const withPeriod = (periodMs: number, keys: number): Checker => make({ rate: 1, periodMs, burst: 1, windowMs: periodMs, keys });
  let kept: Checker | undefined;

  return {
    prove: () => {
      const fresh = make(proofRule);
      return prove(name, () => fresh.checkOne("a"));
    },

    keep: async ({ keys, periodMs }: { keys: number; periodMs: number }): Promise<Kept> => {
      const checker = withPeriod(periodMs, keys);
      kept = checker;
      const before = await bytes();
      const cpu = process.cpuUsage();
      let [longestMs, last] = [0, performance.now()];
      for (let i = 0; i < keys; i++) {
        await checker.checkOne(keyOf(i));
        const now = performance.now();
        longestMs = Math.max(longestMs, now - last);
        last = now;
      }
      const { user, system } = process.cpuUsage(cpu);
      const filled = await bytes();
      const loop = startLoop();
      await idle(checker, 2 * periodMs);
      const loopMaxMs = stopLoop(loop);
      const after = await bytes();
      return {
        bytesPerKey: (filled.heap - before.heap) / keys,
        rssPerKey: (filled.rss - before.rss) / keys,
        fillMs: (user + system) / 1000,
        longestMs,
        givenBack: (filled.heap - after.heap) / (filled.heap - before.heap),
        loopMaxMs,
      };
    },

    timers: async ({ keys }: { keys: number }): Promise<number> => {
      const live = new Set<number>();
      const hook = createHook({
        init: (id, type) => {
          if (type === "Timeout") live.add(id);
        },
        destroy: (id) => {
          live.delete(id);
        },
      }).enable();
      const checker = withPeriod(60_000, keys);
      for (let i = 0; i < keys; i++) await checker.checkOne(keyOf(i));
      await turn();
      hook.disable();
      return live.size;
    },

    burst: async ({ keys, periodMs }: { keys: number; periodMs: number }): Promise<number> => {
      kept = undefined;
      const checker = withPeriod(periodMs, keys);
      for (let i = 0; i < keys; i++) await checker.checkOne(keyOf(i));
      globalThis.gc?.();
      const loop = startLoop();
      await idle(checker, 2.2 * periodMs);
      return stopLoop(loop);
    },

    flood: async (flooding: Flooding): Promise<Flood> => {
      const limiter = new RateLimiter({ rate: 5, period: "1h", backend: new MemoryBackend({ maxKeys: flooding.maxKeys }) });
      while (limiter.checkSync("blocked").allowed);
      const cost = await flood(flooding, (key) => limiter.checkSync(key));
      return { ...cost, stillBlocked: !limiter.checkSync("blocked").allowed };
    },

    /** Compares the CPU time of a new key in a full table with that of one in a table that has room. */
    newKeys: ({ maxKeys }: { maxKeys: number }): NewKeys => ({
      fresh: newKeyRatio(maxKeys, 100),
      spent: newKeyRatio(maxKeys, 1),
    }),

    /** Sends the same flood to a Map that only keeps the latest keys. */
    floodMap: (flooding: Flooding): Promise<Flood> => {
      const map = new Map<string, number>();
      let oldest: Iterator<string> | undefined;
      return flood(flooding, (key) => {
        map.set(key, 0);
        oldest ??= map.keys();
        if (map.size > flooding.maxKeys) map.delete(oldest.next().value as string);
      });
    },

    /** Keeps the last checker alive until the measurement is over. */
    end: () => kept !== undefined,
  };
}

function newKeyRatio(maxKeys: number, burst: number): number {
  const limiter = new RateLimiter({ rate: burst, period: "1h", backend: new MemoryBackend({ maxKeys }) });
  const add = (from: number, to: number): number => {
    const keys = Array.from({ length: to - from }, (_, i) => keyOf(from + i));
    const start = process.cpuUsage();
    for (const key of keys) limiter.checkSync(key);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / keys.length;
  };
  const [, below] = [add(0, maxKeys / 2), add(maxKeys / 2, maxKeys)];
  const [, full] = [add(maxKeys, 2 * maxKeys), add(2 * maxKeys, 3 * maxKeys)];
  return full / below;
}

async function flood({ keys, collects }: Flooding, ask: (key: string) => unknown): Promise<Flood> {
  const before = await bytes();
  let most = before.rss;
  const start = process.cpuUsage();
  for (let i = 0; i < keys; i++) {
    ask(keyOf(i));
    if (i % (keys / 100) !== 0) continue;
    if (collects) globalThis.gc?.();
    most = Math.max(most, process.memoryUsage.rss());
    await turn();
  }
  const { user, system } = process.cpuUsage(start);
  return { rssMb: (most - before.rss) / 2 ** 20, nsPerKey: ((user + system) * 1000) / keys };
}

/** Makes some calls with one more key, because a process that is not idle has some traffic. */
async function idle(checker: Checker, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    await checker.checkOne("other");
    await sleep(50);
  }
}

async function bytes(): Promise<{ heap: number; rss: number }> {
  for (let i = 0; i < 3; i++) {
    await turn();
    globalThis.gc?.();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}

function startLoop(): IntervalHistogram {
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  return loop;
}

function stopLoop(loop: IntervalHistogram): number {
  loop.disable();
  return loop.max / 1e6;
}
