/** The program of one of several processes that share budgets: it asks for far more than there is, and counts. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimitError, RateLimiter } from "@ratelimit/core";
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
}

/** Until when to ask; the processes begin when they are told. */
export interface Go {
  readonly until: number;
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

/** After a refusal, so that Redis has the processor when it needs it: before 7.2 it loses what time it is kept from running in a script. */
const pauseMs = 80;

const tell = (message: "ready" | Report): void => {
  process.send?.(message);
};
const clock = (): number => performance.timeOrigin + performance.now();

/** The next message of the test. */
async function heard<T>(): Promise<T> {
  const [message] = (await once(process, "message")) as [T];
  return message;
}

const job = await heard<Job>();
const backend = new RedisBackend({ ...job.backend, ...strict });
const limiter = new RateLimiter({ rate: job.rate, period: 1, burst: job.burst, name: job.name, backend });
for (const key of job.keys) await limiter.peek(key);
tell("ready");
const { until } = await heard<Go>();
tell(await ask(limiter, job, until));
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
