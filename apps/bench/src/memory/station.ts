import { setImmediate as turn } from "node:timers/promises";
import { proof, prove } from "../bench.ts";
import type { Answers } from "../worker.ts";
import { type KeySetId, keyOf, keySets, orderLength, orderOf } from "./keys.ts";
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

/** Calls between two looks at the clock. */
const batch = 1024;

/** Buckets that never run out, a token in a millisecond; or buckets of one token that does not come back while we measure. */
export function ruleOf(refused: boolean, keys: number): Rule {
  return refused
    ? { rate: 1, periodMs: 3_600_000, burst: 1, windowMs: 3_600_000, keys }
    : { rate: 1, periodMs: 1, burst: 1e9, windowMs: 1e9, keys };
}

export const proofRule: Rule = { rate: 5, periodMs: 60_000, burst: proof.limit, windowMs: 60_000, keys: 100 };

export async function open({ subject, keys: keySet, refused }: Setup): Promise<Answers> {
  const { name, make } = subjects[subject];
  const { count } = keySets[keySet];
  const order = orderOf(keySets[keySet]);
  const keys = Array.from({ length: count }, (_, i) => keyOf(i));
  const checker = make(ruleOf(refused, count));
  for (const key of keys) {
    if (refused || checker.settle === undefined) await checker.one(key);
    else checker.settle(key);
  }
  globalThis.gc?.();

  return {
    prove: () => {
      const fresh = make(proofRule);
      return prove(name, () => fresh.one("a"));
    },
    round: async ({ ms }: { ms: number }): Promise<Sample> => {
      await turn();
      let [calls, admitted] = [0, 0];
      const [cpu, start] = [process.cpuUsage(), performance.now()];
      while (performance.now() - start < ms) {
        const from = calls & (orderLength - 1);
        const some = checker.many(keys, order, from, batch);
        admitted += typeof some === "number" ? some : await some;
        calls += batch;
      }
      const wallMs = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      if (admitted !== (refused ? 0 : calls)) throw new Error(`${name} admitted ${admitted} of ${calls} calls`);
      return { cpuNs: ((user + system) * 1000) / calls, wallNs: (wallMs * 1e6) / calls };
    },
  };
}
