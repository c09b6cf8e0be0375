import { proof, prove } from "../bench.ts";
import { quantile } from "../figure.ts";
import { keyOf } from "../memory/keys.ts";
import type { Answers } from "../worker.ts";
import { type RedisChecker, type RedisSubjectId, type Rule, redisSubjects, type Servers } from "./subjects.ts";

export interface Setup {
  readonly subject: RedisSubjectId;
  readonly servers: Servers;
  /** Whether every call is refused, of one key; otherwise every call is admitted, over 10,000 keys. */
  readonly refused: boolean;
  readonly prefix: string;
  /** How many limiters this process has, each with a connection of its own; 1. */
  readonly connections?: number;
}

export interface Sample {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU time of this process for a check. */
  readonly cpuUs: number;
}

/** Latencies that are kept of a round at the most. */
const mostLatencies = 100_000;

export const redisKeys = 10_000;

/** Buckets that never run out but drain slowly, so that they stay; or a bucket of one token that does not come back. */
export function ruleOf(refused: boolean, prefix: string): Rule {
  return refused
    ? { rate: 1, periodMs: 3_600_000, burst: 1, windowMs: 3_600_000, prefix }
    : { rate: 100, periodMs: 60_000, burst: 1_000_000, windowMs: 3_600_000, prefix };
}

export function proofRule(prefix: string): Rule {
  return { rate: 5, periodMs: 3_600_000, burst: proof.limit, windowMs: 3_600_000, prefix };
}

export async function open({ subject, servers, refused, prefix, connections = 1 }: Setup): Promise<Answers> {
  const { name, make } = redisSubjects[subject];
  const checkers: readonly RedisChecker[] = Array.from({ length: connections }, () => make(servers, ruleOf(refused, prefix)));
  const checker = checkers[0] as RedisChecker;
  const keys = Array.from({ length: refused ? 1 : redisKeys }, (_, i) => keyOf(i));
  for (const { ready, check } of checkers) {
    await ready?.();
    await check(keys[0] as string);
  }
  let next = 0;
  const ask = async ({ check }: RedisChecker): Promise<void> => {
    const admitted = await check(keys[next++ % keys.length] as string);
    if (admitted === refused) throw new Error(`${name} ${admitted ? "admitted" : "refused"} a call that it should not have`);
  };

  return {
    prove: () => {
      const fresh = make(servers, proofRule(`${prefix}p`));
      return prove(name, () => fresh.check("a"));
    },

    /** Keeps so many calls in flight for a while. */
    round: async ({ inFlight, ms }: { inFlight: number; ms: number }): Promise<Sample> => {
      const latencies = new Float64Array(mostLatencies);
      let calls = 0;
      const [cpu, start] = [process.cpuUsage(), performance.now()];
      const keepAsking = async (): Promise<void> => {
        for (let sent = performance.now(), end = start + ms; sent < end; ) {
          await ask(checker);
          const now = performance.now();
          latencies[calls++ % mostLatencies] = now - sent;
          sent = now;
        }
      };
      await Promise.all(Array.from({ length: inFlight }, keepAsking));
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

    /** Makes so many calls, so many in flight on each connection. */
    calls: async ({ count, inFlight }: { count: number; inFlight: number }): Promise<void> => {
      let left = count;
      const keepAsking = async (its: RedisChecker): Promise<void> => {
        while (left-- > 0) await ask(its);
      };
      await Promise.all(checkers.flatMap((its) => Array.from({ length: inFlight }, () => keepAsking(its))));
    },

    /** So many calls for each of so many keys. */
    fill: async ({ keys, calls }: { keys: number; calls: number }): Promise<void> => {
      for (let from = 0; from < keys; from += 100)
        for (let i = 0; i < calls; i++) await Promise.all(Array.from({ length: 100 }, (_, k) => checker.check(keyOf(from + k))));
    },
  };
}
