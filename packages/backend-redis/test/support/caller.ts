/** A program that runs in several processes with shared budgets. It asks for far more than there is, and counts what it gets. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimitError, RateLimiter } from "@ratelimit/core";
import type { Opening } from "../../src/options.ts";
import { clock } from "./clock.ts";
import { strict } from "./strict.ts";

/** The work of one process. */
export interface Job {
  readonly backend: Opening;
  readonly name: string;
  readonly rate: number;
  readonly burst: number;
  readonly keys: readonly string[];
  /** How many calls are in flight at once. */
  readonly crowd: number;
}

/** The message that starts the calls. It says until when to make them. */
export interface Go {
  readonly until: number;
}

/** What a process saw. Times are ms since 1970, on the clock that all processes of the machine share. */
export interface Report {
  /** The tokens admitted for each key. */
  readonly admitted: readonly number[];
  /** When the process began to make calls, and when its first and last tokens were admitted. */
  readonly from: number;
  readonly first: number;
  readonly last: number;
  readonly calls: number;
  /** How many calls failed, and which errors were not of the expected kind. */
  readonly failures: number;
  readonly mistakes: readonly string[];
}

/** Pause after a refusal to leave the processor to Redis: before 7.2 it loses the time that a script spends waiting for the processor. */
const pauseMs = 80;

const report = (message: "ready" | Report): void => {
  process.send?.(message);
};

/** Waits for the next message from the test. */
async function heard<T>(): Promise<T> {
  const [message] = (await once(process, "message")) as [T];
  return message;
}

const job = await heard<Job>();
const backend = new RedisBackend({ ...job.backend, ...strict });
const limiter = new RateLimiter({ rate: job.rate, period: 1, burst: job.burst, name: job.name, backend });
for (const key of job.keys) await limiter.peek(key);
report("ready");
const { until } = await heard<Go>();
report(await ask(limiter, job, until));
await backend.close();
process.disconnect();

async function ask(limiter: RateLimiter, { keys, crowd }: Job, until: number): Promise<Report> {
  const admitted = keys.map(() => 0);
  const mistakes = new Set<string>();
  const from = clock();
  let [first, last, calls, failures] = [Number.POSITIVE_INFINITY, from, 0, 0];
  const askOn = async (i: number): Promise<void> => {
    const key = i % keys.length;
    while (clock() < until) {
      try {
        calls++;
        if (!(await limiter.check(keys[key] as string)).allowed) {
          await sleep(pauseMs * (0.5 + Math.random()));
          continue;
        }
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
