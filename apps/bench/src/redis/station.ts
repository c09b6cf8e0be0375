import { proof, prove } from "../bench.ts";
import { quantile } from "../figure.ts";
import { keyOf } from "../memory/keys.ts";
import type { Answers } from "../worker.ts";
import type { CallLoop, RedisChecker } from "./checker.ts";
import { type RedisSubjectId, type Rule, redisSubjects, type Servers } from "./subjects.ts";

export interface Setup {
  readonly subject: RedisSubjectId;
  readonly servers: Servers;
  /** Whether every call is refused, with one key; otherwise every call is admitted, with 10,000 keys. */
  readonly refused: boolean;
  readonly prefix: string;
  /**
   * The number of limiters in this process, each with its own connection.
   * @defaultValue 1
   */
  readonly connections?: number;
}

export interface Sample {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU time of this process per check. */
  readonly cpuUs: number;
}

/** The most latencies that are kept of one round. */
const mostLatencies = 100_000;

export const redisKeys = 10_000;

/**
 * For allowed calls, buckets that never run out. A token takes a minute to refill, so no bucket expires during the run.
 * For refused calls, a bucket with one token that does not refill during the run.
 */
export function ruleOf(refused: boolean, prefix: string): Rule {
  return refused
    ? { rate: 1, periodMs: 3_600_000, burst: 1, windowMs: 3_600_000, prefix }
    : { rate: 1, periodMs: 60_000, burst: 1_000_000, windowMs: 3_600_000, prefix };
}

export function proofRule(prefix: string): Rule {
  return { rate: 5, periodMs: 3_600_000, burst: proof.limit, windowMs: 3_600_000, prefix };
}

export async function open({ subject, servers, refused, prefix, connections = 1 }: Setup): Promise<Answers> {
  const { name, make } = redisSubjects[subject];
  const checkers: readonly RedisChecker[] = Array.from({ length: connections }, () => make(servers, ruleOf(refused, prefix)));
  const checker = checkers[0] as RedisChecker;
  const keys = Array.from({ length: refused ? 1 : redisKeys }, (_, i) => keyOf(i));
  for (const { ready, checkOne: one } of checkers) {
    await ready?.();
    await one(keys[0] as string);
  }
  let asked = 0;
  const nextKey = (): string => keys[asked++ % keys.length] as string;
  /** Keeps `inFlight` calls in flight on each connection. */
  const keepAsking = async (inFlight: number, how: Omit<CallLoop, "admitted">): Promise<void> => {
    const each = checkers.flatMap((its) => Array.from({ length: inFlight }, () => its.keepCalling({ ...how, admitted: !refused })));
    await Promise.all(each);
  };

  return {
    prove: () => {
      const fresh = make(servers, proofRule(`${prefix}p`));
      return prove(name, () => fresh.checkOne("a"));
    },

    /** Keeps `inFlight` calls in flight on each connection for `ms` milliseconds. */
    round: async ({ inFlight, ms }: { inFlight: number; ms: number }): Promise<Sample> => {
      const latencies = new Float64Array(mostLatencies);
      let calls = 0;
      const [cpu, start] = [process.cpuUsage(), performance.now()];
      await keepAsking(inFlight, {
        next: (now) => (now - start < ms ? nextKey() : undefined),
        onReply: (tookMs) => {
          latencies[calls++ % mostLatencies] = tookMs;
        },
      });
      const wallMs = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      const seen = latencies.subarray(0, Math.min(calls, mostLatencies));
      return {
        perSecond: (calls * 1000) / wallMs,
        p50Us: quantile(seen, 0.5) * 1000,
        p99Us: quantile(seen, 0.99) * 1000,
        cpuUs: (user + system) / calls,
      };
    },

    /** Makes `count` calls, `inFlight` at a time on each connection. */
    calls: async ({ count, inFlight }: { count: number; inFlight: number }): Promise<void> => {
      let left = count;
      await keepAsking(inFlight, { next: () => (left-- > 0 ? nextKey() : undefined) });
    },

    /** Makes `calls` calls for each of `keys` keys. */
    fill: async ({ keys, calls }: { keys: number; calls: number }): Promise<void> => {
      for (let from = 0; from < keys; from += 100)
        for (let i = 0; i < calls; i++) await Promise.all(Array.from({ length: 100 }, (_, k) => checker.checkOne(keyOf(from + k))));
    },
  };
}
