import { setTimeout as sleep } from "node:timers/promises";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter, type RateLimitResult } from "@ratelimit/core";
import type { Address } from "@ratelimit/testbed";
import { proof, prove } from "../bench.ts";
import type { Answers } from "../worker.ts";
import { sharedMs } from "./clock.ts";
import { callTimes, lease, limit, type Traffic } from "./loads.ts";

export interface Setup {
  readonly redis: Address;
}

/** One run of a process. */
export interface Run {
  readonly isLeased: boolean;
  readonly key: string;
  /** When all processes start, on the clock that they share. */
  readonly startAt: number;
  readonly ms: number;
  readonly traffic: Traffic;
}

/** What one process saw. All times are ms since the start of the run. */
export interface Seen {
  /** The time of each batch of calls and the number of calls in it, in turns. */
  readonly batches: readonly number[];
  /** When each admitted call was made and when its decision arrived, in turns. */
  readonly admitted: readonly number[];
  readonly decisions: number;
  readonly leased: number;
  /** Durations in µs: of leased decisions, or of all decisions in a run without a lease; and of the same calls in process. */
  readonly tookUs: readonly number[];
  readonly inProcessUs: readonly number[];
}

/** The most durations that are kept of one run, the last ones. */
const mostDurations = 10_000;

export function open({ redis }: Setup): Answers {
  // Only Redis decides, however busy the machine is.
  const backend = new RedisBackend({ url: `redis://${redis.host}:${redis.port}`, timeout: "5s", outage: "throw" });
  const leasing = new RateLimiter({ ...limit, name: "leased", lease, backend });
  const plain = new RateLimiter({ ...limit, name: "plain", backend });
  const inProcess = new RateLimiter({ ...limit, backend: new MemoryBackend() });

  return {
    prove: async () => {
      const fresh = new RateLimiter({ name: `proof-${process.pid}`, rate: proof.limit, period: "1h", backend });
      await prove("@ratelimit on Redis", async () => (await fresh.check("a")).allowed);
    },

    run: async ({ isLeased, key, startAt, ms, traffic }: Run): Promise<Seen> => {
      const limiter = isLeased ? leasing : plain;
      const [tookUs, inProcessUs] = [new Durations(), new Durations()];
      const batches: number[] = [];
      const admitted: number[] = [];
      let [decisions, leased, batch] = [0, 0, 0];

      const onDecision = (from: number, to: number, { allowed, source }: RateLimitResult): void => {
        decisions++;
        if (source === "lease") leased++;
        if (allowed) admitted.push(from - startAt, to - startAt);
        if (!isLeased || source === "lease") tookUs.add(to - from);
      };
      const onTwin = (from: number, to: number): void => inProcessUs.add(to - from);

      const times = callTimes(traffic);
      const pending: Promise<void>[] = [];
      await sleep(startAt - sharedMs());
      for (let next = times.next().value; next < ms; ) {
        const now = sharedMs() - startAt;
        if (next > now) {
          await sleep(next - now);
          continue;
        }
        let calls = 0;
        for (; next <= now && next < ms; next = times.next().value) calls++;
        batches.push(now, calls);
        // The calls in process take turns in going first, so that neither side always pays for the waking up.
        const isTwinFirst = batch++ % 2 === 0;
        if (isTwinFirst) pending.push(ask(inProcess, key, calls, onTwin));
        pending.push(ask(limiter, key, calls, onDecision));
        if (!isTwinFirst) pending.push(ask(inProcess, key, calls, onTwin));
      }
      await Promise.all(pending);
      return { batches, admitted, decisions, leased, tookUs: tookUs.all(), inProcessUs: inProcessUs.all() };
    },
  };
}

/** Makes calls without waiting for each other, and resolves when all are decided. */
async function ask(
  limiter: RateLimiter,
  key: string,
  calls: number,
  onDecision: (from: number, to: number, result: RateLimitResult) => void,
): Promise<void> {
  await Promise.all(
    Array.from({ length: calls }, () => {
      const from = sharedMs();
      return limiter.check(key).then((result) => onDecision(from, sharedMs(), result));
    }),
  );
}

/** Keeps the last durations of many. */
class Durations {
  readonly #us = new Float64Array(mostDurations);
  #count = 0;

  add(ms: number): void {
    this.#us[this.#count++ % mostDurations] = ms * 1000;
  }

  all(): number[] {
    return [...this.#us.subarray(0, Math.min(this.#count, mostDurations))];
  }
}
