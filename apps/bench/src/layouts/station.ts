import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { proof, prove } from "../bench.ts";
import { type KeySetId, keyOf, keySets, orderLength, orderOf } from "../memory/keys.ts";
import type { Answers } from "../worker.ts";
import { type Layout, type LayoutId, layouts } from "./layouts.ts";

export interface Setup {
  readonly layout: LayoutId;
}

export interface Weight {
  readonly bytesPerKey: number;
  /** CPU time for adding the keys. */
  readonly fillMs: number;
  /** The longest of those calls. */
  readonly longestTakeMs: number;
  /** The longest single sweep. */
  readonly longestSweepMs: number;
  /** Time of all sweeps together. */
  readonly sweepMs: number;
  /** The fraction of the bytes that was freed two periods after the keys were added. */
  readonly givenBack: number;
}

const batch = 1024;
/** One token per millisecond, and a bucket that never runs out. */
const [tokenMs, endlessMs] = [1, 1e9];
/** How long a preloaded key stays, in ms. */
const preloadedMs = 600_000;
const turnMs = 5;

export function open({ layout }: Setup): Answers {
  const { name, make } = layouts[layout];
  let [keys, order]: [readonly string[], Uint32Array] = [[], new Uint32Array(0)];
  let buckets: Layout = make(endlessMs);

  return {
    prove: () => {
      const fresh = make(60_000);
      return prove(name, () => fresh.take("a", 1000, 60_000 / proof.limit, 60_000));
    },

    preload: ({ set }: { set: KeySetId }): void => {
      keys = Array.from({ length: keySets[set].count }, (_, i) => keyOf(i));
      order = orderOf(keySets[set]);
      buckets = make(endlessMs);
      for (const key of keys) buckets.take(key, 1, preloadedMs, endlessMs);
      globalThis.gc?.();
    },

    /** CPU time of a call in ns, including reading the clock. */
    round: ({ ms, fresh }: { ms: number; fresh: boolean }): number => {
      let calls = 0;
      const [cpu, start] = [process.cpuUsage(), performance.now()];
      while (performance.now() - start < ms) {
        const from = calls & (orderLength - 1);
        if (fresh) takeFresh(buckets, order, from);
        else takeMany(buckets, keys, order, from);
        calls += batch;
      }
      const { user, system } = process.cpuUsage(cpu);
      return ((user + system) * 1000) / calls;
    },

    weigh: async ({ count, periodMs }: { count: number; periodMs: number }): Promise<Weight> => {
      [keys, order] = [[], new Uint32Array(0)];
      buckets = make(periodMs);
      const before = await bytes();
      const cpu = process.cpuUsage();
      let longestTakeMs = 0;
      for (let i = 0, last = performance.now(); i < count; i++) {
        buckets.take(keyOf(i), Math.floor(last), periodMs, periodMs);
        const now = performance.now();
        longestTakeMs = Math.max(longestTakeMs, now - last);
        last = now;
      }
      const { user, system } = process.cpuUsage(cpu);
      const filled = await bytes();
      const { longestSweepMs, sweepMs } = await sweep(buckets, 2 * periodMs);
      const after = await bytes();
      return {
        bytesPerKey: (filled - before) / count,
        fillMs: (user + system) / 1000,
        longestTakeMs,
        longestSweepMs,
        sweepMs,
        givenBack: (filled - after) / (filled - before),
      };
    },

    size: () => buckets.size,
  };
}

function takeMany(buckets: Layout, keys: readonly string[], order: Uint32Array, from: number): void {
  for (let i = from; i < from + batch; i++)
    if (!buckets.take(keys[order[i] as number] as string, Math.floor(performance.now()), tokenMs, endlessMs)) throw new Error("Refused");
}

/** Creates a new key string for each call, as a server does when it reads from a socket. */
function takeFresh(buckets: Layout, order: Uint32Array, from: number): void {
  for (let i = from; i < from + batch; i++)
    if (!buckets.take(keyOf(order[i] as number), Math.floor(performance.now()), tokenMs, endlessMs)) throw new Error("Refused");
}

async function sweep(buckets: Layout, ms: number): Promise<{ longestSweepMs: number; sweepMs: number }> {
  let [longestSweepMs, sweepMs] = [0, 0];
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const start = performance.now();
    buckets.sweep(Math.floor(start));
    const took = performance.now() - start;
    sweepMs += took;
    longestSweepMs = Math.max(longestSweepMs, took);
    await sleep(turnMs);
  }
  return { longestSweepMs, sweepMs };
}

async function bytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await turn();
    globalThis.gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
