/** Two worker threads call two limiters with the same name and policy, one in memory and one on Redis. Both must end by themselves. */
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";

/** The number of calls that a thread admitted with each backend. */
export type Admitted = Readonly<Record<"memory" | "redis", number>>;

const calls = 60;
const rule = { rate: 50, period: "1h", name: "threads" } as const;

async function ask(): Promise<Admitted> {
  const redis = new RedisBackend({ url: process.env["RATELIMIT_REDIS_URL"] ?? "", timeout: "10s", outage: "throw" });
  const backends = { memory: new MemoryBackend(), redis };
  const admitted = { memory: 0, redis: 0 };
  for (const kind of ["memory", "redis"] as const) {
    const limiter = new RateLimiter({ ...rule, keyPrefix: process.env["RATELIMIT_KEY_PREFIX"] ?? "", backend: backends[kind] });
    for (let i = 0; i < calls; i++) if ((await limiter.check("key")).allowed) admitted[kind]++;
  }
  await redis.close(); // an open connection would keep the thread alive
  return admitted;
}

if (isMainThread) {
  const threads = [1, 2].map(() => new Worker(new URL(import.meta.url)));
  const results = await Promise.all(
    threads.map(
      (thread) =>
        new Promise<Admitted>((resolve, reject) => {
          let admitted: Admitted | undefined;
          thread.on("message", (message: Admitted) => (admitted = message));
          thread.on("error", reject);
          thread.on("exit", (code) => (code === 0 && admitted ? resolve(admitted) : reject(new Error(`A thread ended with ${code}`))));
        }),
    ),
  );
  console.log(JSON.stringify(results));
} else parentPort?.postMessage(await ask());
