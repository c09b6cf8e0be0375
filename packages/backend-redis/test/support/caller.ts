/** The program of one of several processes that share budgets: it asks as fast as it can, and counts. */
import { setTimeout as sleep } from "node:timers/promises";
import { RateLimitError, RateLimiter } from "@ratelimit/core";
import { RedisBackend } from "../../src/index.ts";
import type { Opening } from "../../src/options.ts";
import { strict } from "./strict.ts";

/** What a process is told to do. */
export interface Job {
  readonly backend: Opening;
  readonly name: string;
  readonly rate: number;
  readonly burst: number;
  readonly keys: readonly string[];
  /** Calls under way at once. */
  readonly crowd: number;
  readonly forMs: number;
}

/** What it saw. Times are ms since 1970, by the one clock of the machine. */
export interface Report {
  /** Tokens admitted, of each key. */
  readonly admitted: readonly number[];
  /** When it began to ask, when the first token was admitted, and when the last. */
  readonly from: number;
  readonly first: number;
  readonly last: number;
  readonly calls: number;
  /** Calls that failed as they may, and what else went wrong. */
  readonly failures: number;
  readonly mistakes: readonly string[];
}

const tell = (message: "ready" | Report): void => {
  process.send?.(message);
};
const clock = (): number => performance.timeOrigin + performance.now();

process.once("message", async (job: Job) => {
  const backend = new RedisBackend({ ...job.backend, ...strict });
  const limiter = new RateLimiter({ rate: job.rate, period: 1, burst: job.burst, name: job.name, backend });
  for (const key of job.keys) await limiter.peek(key);
  process.once("message", async () => {
    tell(await ask(limiter, job));
    await backend.close();
    process.disconnect();
  });
  tell("ready");
});

async function ask(limiter: RateLimiter, { keys, crowd, forMs }: Job): Promise<Report> {
  const admitted = keys.map(() => 0);
  const mistakes = new Set<string>();
  const from = clock();
  let [first, last, calls, failures] = [Number.POSITIVE_INFINITY, from, 0, 0];
  const askOn = async (i: number): Promise<void> => {
    const key = i % keys.length;
    while (clock() < from + forMs) {
      try {
        calls++;
        if (!(await limiter.check(keys[key] as string)).allowed) continue;
        admitted[key] = (admitted[key] as number) + 1;
        last = clock();
        first = Math.min(first, last);
      } catch (error) {
        failures++;
        if (!(error instanceof RateLimitError) || error.code !== "BACKEND" || error.keyOnly) mistakes.add(String(error));
        await sleep(5);
      }
    }
  };
  await Promise.all(Array.from({ length: crowd }, (_, i) => askOn(i)));
  return { admitted, from, first, last, calls, failures, mistakes: [...mistakes] };
}
