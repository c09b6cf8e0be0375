/** A program whose Redis stops answering. Its arguments are the URL and what to do, and it prints what it saw as JSON. */
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";

const [, , url = "", how = ""] = process.argv;
const backend = new RedisBackend({ url, onOutage: () => {} });
const limiter = new RateLimiter({ name: "lasting", rate: 1_000_000, period: 1, backend });
const check = async (): Promise<string> => (await limiter.check("key")).source;

/** Blocks this thread without using the CPU, which the tests next to it need. */
function stallEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const programs: Readonly<Record<string, () => Promise<object>>> = {
  /** Makes one call and closes. */
  async close() {
    const source = await check();
    const start = performance.now();
    await backend.close();
    return { source, closedMs: Math.round(performance.now() - start) };
  },

  /** Stalls fifty times for 120 ms, each time with a call in flight that Redis answers at once. */
  async stall() {
    for (let i = 0; i < 10; i++) await check();
    const sources: string[] = [];
    for (let i = 0; i < 50; i++) {
      const pending = check();
      await new Promise(setImmediate);
      stallEventLoop(120);
      sources.push(await pending);
      await sleep(5);
    }
    await backend.close();
    return { redis: sources.filter((source) => source === "backend").length, local: sources.filter((source) => source === "local").length };
  },

  /** Keeps making calls until it gets a message. */
  async ask() {
    const seen = { redis: 0, local: 0, errors: 0, lastLocal: 0 };
    let isOver = false;
    process.once("message", () => {
      isOver = true;
    });
    process.send?.("asking");
    for (; !isOver; await sleep(10)) {
      const source = await check().catch(() => "error");
      if (source === "backend") seen.redis++;
      else if (source === "local") seen.local++;
      else seen.errors++;
      if (source === "local") seen.lastLocal = Date.now();
    }
    await backend.close();
    process.disconnect();
    return seen;
  },
};

console.log(JSON.stringify(await programs[how]?.()));
