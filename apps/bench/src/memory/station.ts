import { setImmediate as turn } from "node:timers/promises";
import { proof, prove } from "../bench.ts";
import type { Answers } from "../worker.ts";
import type { Checker } from "./checker.ts";
import { type KeySet, type KeySetId, keyOf, keySets, orderLength, orderOf } from "./keys.ts";
import { type Rule, type SubjectId, subjects } from "./subjects.ts";

export interface Setup {
  readonly subject: SubjectId;
  readonly keys: KeySetId;
  /** Whether every call is refused; otherwise every call is admitted. */
  readonly refused: boolean;
}

export interface Sample {
  /** CPU time of a check. */
  readonly cpuNs: number;
  readonly wallNs: number;
}

/** The number of calls between two readings of the clock. */
const batch = 1024;

/**
 * For allowed calls, buckets that never run out and refill one token per ms.
 * For refused calls, buckets with one token that does not refill during the run.
 */
export function ruleOf(refused: boolean, keys: number): Rule {
  return refused
    ? { rate: 1, periodMs: 3_600_000, burst: 1, windowMs: 3_600_000, keys }
    : { rate: 1, periodMs: 1, burst: 1e9, windowMs: 1e9, keys };
}

export const proofRule: Rule = { rate: 5, periodMs: 60_000, burst: proof.limit, windowMs: 60_000, keys: 100 };

export async function open({ subject, keys, refused }: Setup): Promise<Answers> {
  const { name, make } = subjects[subject];
  return {
    prove: () => {
      const fresh = make(proofRule);
      return prove(name, () => fresh.checkOne("a"));
    },
    round: await measured(name, make(ruleOf(refused, keySets[keys].count)), keySets[keys], refused ? "refused" : "admitted"),
  };
}

/** Uses every key of the set once, and returns a function that measures a round of calls, all of which must have the same outcome. */
export async function measured(
  name: string,
  checker: Checker,
  keySet: KeySet,
  outcome: "admitted" | "refused",
): Promise<(how: { ms: number }) => Promise<Sample>> {
  const order = orderOf(keySet);
  const keys = Array.from({ length: keySet.count }, (_, i) => keyOf(i));
  for (const key of keys) {
    if (outcome === "refused" || checker.preload === undefined) await checker.checkOne(key);
    else checker.preload(key);
  }
  globalThis.gc?.();

  return async ({ ms }) => {
    await turn();
    let [calls, admitted] = [0, 0];
    const [cpu, start] = [process.cpuUsage(), performance.now()];
    while (performance.now() - start < ms) {
      const from = calls & (orderLength - 1);
      const some = checker.checkMany(keys, order, from, batch);
      admitted += typeof some === "number" ? some : await some;
      calls += batch;
    }
    const wallMs = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    if (admitted !== (outcome === "refused" ? 0 : calls)) throw new Error(`${name} admitted ${admitted} of ${calls} calls`);
    return { cpuNs: ((user + system) * 1000) / calls, wallNs: (wallMs * 1e6) / calls };
  };
}
