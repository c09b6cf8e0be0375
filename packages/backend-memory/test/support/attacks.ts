/** A program that attacks itself. Its arguments are the attack and its number of keys, and it prints what it saw as JSON. */
import { AsyncLocalStorage } from "node:async_hooks";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";

/** Frees memory that is no longer used. The process runs with --expose-gc. */
const collect = (): void => (globalThis as { gc?: () => void }).gc?.();

function rssMb(): number {
  collect();
  return process.memoryUsage.rss() / 2 ** 20;
}

const attacks: Readonly<Record<string, (count: number) => Promise<object>>> = {
  /** Uses each of `keys` keys once at maxKeys 100,000, and checks that a blocked key stays blocked. */
  async spray(keys) {
    const backend = new MemoryBackend({ maxKeys: 100_000 });
    const limiter = new RateLimiter({ rate: 10, period: "1h", backend });
    limiter.checkSync("blocked", { cost: 10 });
    for (let i = 0; i < 10_000; i++) limiter.checkSync(`warm:${i}`);
    const before = rssMb();
    let [most, unblocked] = [before, 0];
    for (let i = 0; i < keys; i++) {
      limiter.checkSync(`sprayed:${i}`);
      if (i % 100_000 !== 0) continue;
      if (limiter.checkSync("blocked").allowed) unblocked++;
      most = Math.max(most, rssMb());
      await sleep(0);
    }
    return { grownMb: Math.round(most - before), unblocked, ...backend.stats };
  },

  /** Uses keys that are slices of long strings, such as URLs. */
  async slices(keys) {
    const backend = new MemoryBackend();
    const limiter = new RateLimiter({ rate: 10, period: "1h", backend });
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < keys; i++) {
      const url = Buffer.from(`/api/items/${String(i).padStart(12, "0")}?q=${"x".repeat(16_000)}`).toString("latin1");
      limiter.checkSync(url.split("?")[0] ?? "");
      if (i % 1000 === 0) await sleep(0);
    }
    collect();
    return { bytesPerKey: Math.round((process.memoryUsage().heapUsed - before) / keys), keys: backend.stats.keys };
  },

  /** Uses a million keys of ten policies, whose buckets are all full again at about the same time. */
  async sweep() {
    const backend = new MemoryBackend({ maxKeys: 1_000_000 });
    const limiters = Array.from({ length: 10 }, (_, i) => new RateLimiter({ rate: 1, period: 4, burst: 2, name: `limiter-${i}`, backend }));
    for (let i = 0; i < 1_000_000; i++) {
      limiters[i % 10]?.checkSync(`key:${i}`);
      if (i % 5000 === 0) await sleep(0);
    }
    const { keys } = backend.stats;
    collect();
    await sleep(200);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    while (backend.stats.keys > 0.01 * keys) await sleep(10);
    delay.disable();
    const ms = (nanoseconds: number): number => Math.round(nanoseconds / 1e4) / 100;
    return { keys, left: backend.stats.keys, p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max) };
  },

  /** Finds out whether a request is kept alive: the first one, which set the timer, or a later one. */
  async context() {
    const requests = new AsyncLocalStorage<object>();
    const backend = new MemoryBackend();
    const limiter = new RateLimiter({ rate: 10, period: "1h", backend });
    const kept = ["first", "second"].map((key) => {
      const request = { body: new Array(1000).fill(key) };
      requests.run(request, () => limiter.checkSync(key));
      return new WeakRef(request);
    });
    for (let i = 0; i < 5; i++) {
      await sleep(20);
      collect();
    }
    return { keys: backend.stats.keys, kept: kept.filter((reference) => reference.deref() !== undefined).length };
  },

  /** Leaves buckets behind that take an hour to fill, and closes nothing. */
  async exit() {
    const limiter = new RateLimiter({ rate: 10, period: "1h", backend: new MemoryBackend() });
    for (let i = 0; i < 1000; i++) limiter.checkSync(`key:${i}`);
    return {};
  },
};

const [, , how = "", count = "0"] = process.argv;
console.log(JSON.stringify(await attacks[how]?.(Number(count))));
