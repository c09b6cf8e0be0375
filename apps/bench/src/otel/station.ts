import { setImmediate as turn } from "node:timers/promises";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import { proof, prove } from "../bench.ts";
import type { Answers } from "../worker.ts";
import { type ListenerId, listeners } from "./listeners.ts";

export interface Setup {
  readonly listener: ListenerId;
}

export interface Sample {
  /** CPU time of a check. */
  readonly cpuNs: number;
}

/** Calls between two looks at the clock. */
const batch = 1024;

export function open({ listener }: Setup): Answers {
  const { name, start } = listeners[listener];
  start();
  const keys = Array.from({ length: batch }, (_, i) => `user:${i}`);
  const limiter = new RateLimiter({ rate: 1, period: "1ms", burst: 1e9, backend: new MemoryBackend() });
  return {
    prove: () => {
      const fresh = new RateLimiter({ name: "proof", rate: proof.limit, period: "1h", backend: new MemoryBackend() });
      return prove(name, async () => (await fresh.check("a")).allowed);
    },
    round: async ({ ms }: { ms: number }): Promise<Sample> => {
      await turn();
      let calls = 0;
      const [cpu, begin] = [process.cpuUsage(), performance.now()];
      while (performance.now() - begin < ms) {
        for (const key of keys) if (!(await limiter.check(key)).allowed) throw new Error(`${name} refused a call`);
        calls += batch;
      }
      const { user, system } = process.cpuUsage(cpu);
      return { cpuNs: ((user + system) * 1000) / calls };
    },
  };
}
