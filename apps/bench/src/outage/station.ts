import { setTimeout as sleep } from "node:timers/promises";
import { proof, prove } from "../bench.ts";
import type { Address } from "../redis/subjects.ts";
import type { Answers } from "../worker.ts";
import { type OutageSubjectId, type Outcome, outageSubjects } from "./subjects.ts";

export interface Setup {
  readonly subject: OutageSubjectId;
  readonly redis: Address;
}

/** A call as it went. */
export interface Seen {
  readonly key: string;
  /** Unix ms. */
  readonly at: number;
  /** No answer within the cap where absent. */
  readonly outcome?: Outcome;
  readonly tookMs: number;
}

export async function open({ subject, redis }: Setup): Promise<Answers> {
  const { name, make } = outageSubjects[subject];
  const call = await make(redis, proof.limit);
  const calls: Promise<Seen>[] = [];
  let asking = false;

  const ask = async (key: string, capMs: number): Promise<Seen> => {
    const [at, start] = [Date.now(), performance.now()];
    const cap = new AbortController();
    const answer = call(key).catch((): Outcome => "error");
    const outcome = await Promise.race([answer, sleep(capMs, undefined, { signal: cap.signal })]);
    cap.abort();
    return { key, at, tookMs: performance.now() - start, ...(outcome !== undefined && { outcome }) };
  };

  return {
    prove: () => prove(name, async () => (await call("prove")) === "admitted"),

    /** Calls once in a while, each time with a new key, until it is told to stop. */
    start: ({ everyMs, capMs }: { everyMs: number; capMs: number }): void => {
      asking = true;
      void (async () => {
        for (let i = 0; asking; i++) {
          calls.push(ask(`call-${i}-`, capMs));
          await sleep(everyMs);
        }
      })();
    },

    /** What came of all of them, when the last has its answer or has waited long enough. */
    stop: (): Promise<Seen[]> => {
      asking = false;
      return Promise.all(calls);
    },
  };
}
