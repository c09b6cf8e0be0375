import { setTimeout as sleep } from "node:timers/promises";
import { proof, prove } from "../bench.ts";
import type { Address } from "../redis/subjects.ts";
import type { Answers } from "../worker.ts";
import { type OutageSubjectId, type Outcome, outageSubjects } from "./subjects.ts";

export interface Setup {
  readonly subject: OutageSubjectId;
  readonly redis: Address;
}

/** One call and its outcome. */
export interface CallRecord {
  readonly key: string;
  /** Unix ms. */
  readonly at: number;
  /** Absent if there was no answer within `capMs`. */
  readonly outcome?: Outcome;
  readonly tookMs: number;
}

export async function open({ subject, redis }: Setup): Promise<Answers> {
  const { name, make } = outageSubjects[subject];
  const call = await make(redis, proof.limit);
  const calls: Promise<CallRecord>[] = [];
  let asking = false;

  const ask = async (key: string, capMs: number): Promise<CallRecord> => {
    const [at, start] = [Date.now(), performance.now()];
    const cap = new AbortController();
    const answer = call(key).catch((): Outcome => "error");
    const outcome = await Promise.race([answer, sleep(capMs, undefined, { signal: cap.signal })]);
    cap.abort();
    return { key, at, tookMs: performance.now() - start, ...(outcome !== undefined && { outcome }) };
  };

  return {
    prove: () => prove(name, async () => (await call("prove")) === "admitted"),

    /** Makes a call every `everyMs` milliseconds, each with a new key, until `stop` is called. */
    start: ({ everyMs, capMs }: { everyMs: number; capMs: number }): void => {
      asking = true;
      void (async () => {
        for (let i = 0; asking; i++) {
          calls.push(ask(`call-${i}-`, capMs));
          await sleep(everyMs);
        }
      })();
    },

    /** Resolves with all calls when the last one has its answer or has been given up. */
    stop: (): Promise<CallRecord[]> => {
      asking = false;
      return Promise.all(calls);
    },
  };
}
