import { RedisBackend } from "@ratelimit/backend-redis";
import { type LimitOptions, RateLimiter } from "@ratelimit/core";
import { proof, prove } from "../bench.ts";
import type { Address } from "../redis/subjects.ts";
import type { Answers } from "../worker.ts";
import { callerKey, limiterName } from "./keys.ts";

/** A process with its limiters, and the Redis it uses. */
export interface Setup {
  readonly servers: readonly Address[];
  /** Whether the servers are a Cluster, even if there is only one. */
  readonly cluster: boolean;
  readonly prefix: string;
  readonly limiters: number;
  /** The number of limits in each policy. */
  readonly limits: number;
  readonly keys: number;
  /** The number of backends, each with its own connections. They stand for as many processes. */
  readonly connections: number;
}

/** What one process did in a round. */
export interface Round {
  readonly calls: number;
  readonly cpuUs: number;
  readonly wallMs: number;
}

/** How to keep a key at its limit. */
export interface Refusing {
  readonly perSecond: number;
  readonly ms: number;
}

/** The number of calls after which a loop yields, because refusals that need no answer from Redis would block the event loop. */
const callsPerTurn = 64;

/** Returns limits with different numbers. They never refuse, and a token takes at least a minute to refill, so all buckets stay in use. */
function limitsOf(count: number): readonly [LimitOptions, ...LimitOptions[]] {
  const limit = (i: number): LimitOptions => ({ name: `limit-${i}`, rate: 1, period: `${i}m`, burst: 1_000_000 });
  return [limit(1), ...Array.from({ length: count - 1 }, (_, i) => limit(i + 2))];
}

export function open({ servers, cluster, prefix, limiters, limits, keys, connections }: Setup): Answers {
  const [{ host, port }] = servers as [Address];
  // A late answer ends the run, because a decision without Redis would be a cheap one.
  const settings = { timeout: "5s", outage: "throw" } as const;
  const backends = Array.from({ length: connections }, () =>
    cluster ? new RedisBackend({ cluster: servers, ...settings }) : new RedisBackend({ url: `redis://${host}:${port}`, ...settings }),
  );
  const sets = backends.map((backend) =>
    Array.from(
      { length: limiters },
      (_, i) => new RateLimiter({ name: limiterName(i), keyPrefix: prefix, limits: limitsOf(limits), backend }),
    ),
  );

  const keepCalling = async (set: readonly RateLimiter[], until: number): Promise<number> => {
    let calls = 0;
    while (performance.now() < until) {
      const i = Math.floor(Math.random() * keys);
      const { allowed } = await (set[i % limiters] as RateLimiter).check(callerKey(i));
      if (!allowed) throw new Error("A call was refused that should have been admitted");
      calls++;
    }
    return calls;
  };

  const measured = async (loops: () => readonly Promise<number>[]): Promise<Round> => {
    const [cpu, start] = [process.cpuUsage(), performance.now()];
    const calls = (await Promise.all(loops())).reduce((sum, count) => sum + count, 0);
    const { user, system } = process.cpuUsage(cpu);
    return { calls, cpuUs: user + system, wallMs: performance.now() - start };
  };

  return {
    prove: async () => {
      for (const backend of backends) {
        const limiter = new RateLimiter({ name: "proof", keyPrefix: prefix, rate: proof.limit, period: "1h", backend });
        await limiter.reset("a");
        await prove(`${limiters} limiters`, async () => (await limiter.check("a")).allowed);
      }
    },

    /** Keeps `inFlight` calls in flight on each connection for `ms` milliseconds. */
    round: ({ inFlight, ms }: { inFlight: number; ms: number }): Promise<Round> => {
      const until = performance.now() + ms;
      return measured(() => sets.flatMap((set) => Array.from({ length: inFlight }, () => keepCalling(set, until))));
    },

    /** Calls one key as often as possible, far above its limit, so that most refusals need no answer from Redis. */
    refuse: async ({ perSecond, ms }: Refusing): Promise<Round> => {
      const [backend] = backends as [RedisBackend];
      const limiter = new RateLimiter({ name: `at-${perSecond}`, keyPrefix: prefix, rate: perSecond, period: "1s", burst: 1, backend });
      const until = performance.now() + ms;
      return measured(() => [
        (async () => {
          let calls = 0;
          while (performance.now() < until) {
            await limiter.check("hot");
            if (++calls % callsPerTurn === 0) await new Promise(setImmediate);
          }
          return calls;
        })(),
      ]);
    },
  };
}
