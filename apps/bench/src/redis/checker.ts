import { setImmediate as turn } from "node:timers/promises";
import { admission } from "../admission.ts";

/** Calls of one asker between two turns of the event loop, which what is answered without Redis would not let go on otherwise. */
const callsPerTurn = 256;

/** One limiter on Redis, and the loop that asks it: built per library, so that nothing stands between the two. */
export interface RedisChecker {
  /** Whether a call was admitted; where Redis fails, it rejects. */
  readonly one: (key: string) => Promise<boolean>;
  /** Asks one call after the other, until it is time: all of them must be admitted, or all refused. */
  readonly keepAsking: (asking: Asking) => Promise<void>;
  /** Resolves when Redis decides; where absent, calls wait by themselves. */
  readonly ready?: (() => Promise<unknown>) | undefined;
}

export interface Asking {
  /** The key of the next call, by the clock; none when it was the last. */
  readonly next: (now: number) => string | undefined;
  readonly admitted: boolean;
  /** Told how long each call took, in ms, if anybody is interested. */
  readonly seen?: (tookMs: number) => void;
}

/** Of a library that promises. */
export function asking<Answer>(
  ask: (key: string) => Promise<Answer>,
  admits: (answer: Answer) => boolean,
  ready?: () => Promise<unknown>,
): RedisChecker {
  return {
    ready,
    one: admission(ask, admits),
    keepAsking: async ({ next, admitted, seen }) => {
      let [sent, calls] = [performance.now(), 0];
      for (let key = next(sent); key !== undefined; key = next(sent)) {
        let isAdmitted = false;
        try {
          isAdmitted = admits(await ask(key));
        } catch (error) {
          if (error instanceof Error) throw error;
        }
        if (++calls % callsPerTurn === 0) await turn();
        if (isAdmitted !== admitted) throw new Error(`A call was ${isAdmitted ? "admitted" : "refused"} that should not have been`);
        const now = performance.now();
        seen?.(now - sent);
        sent = now;
      }
    },
  };
}
