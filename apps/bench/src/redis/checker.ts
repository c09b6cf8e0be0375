import { setImmediate as turn } from "node:timers/promises";
import { admission } from "../admission.ts";

/** The number of calls after which a loop yields, because calls that are answered without Redis would block the event loop. */
const callsPerTurn = 256;

/** One limiter on Redis, and the loop that calls it. Built per library, so that the loop calls the library directly. */
export interface RedisChecker {
  /** Makes one call, and returns whether it was admitted. Rejects if Redis fails. */
  readonly checkOne: (key: string) => Promise<boolean>;
  /** Makes one call after the other until `next` ends the loop. All must be admitted, or all refused. */
  readonly keepCalling: (asking: CallLoop) => Promise<void>;
  /** Resolves when Redis is ready. Absent if calls wait for that by themselves. */
  readonly ready?: (() => Promise<unknown>) | undefined;
}

export interface CallLoop {
  /** Returns the key of the next call, or `undefined` to end the loop. */
  readonly next: (now: number) => string | undefined;
  readonly admitted: boolean;
  /** Called after each call, with its duration in ms. */
  readonly onReply?: (tookMs: number) => void;
}

/** Creates the checker of a library that returns promises. */
export function redisChecker<Answer>(
  ask: (key: string) => Promise<Answer>,
  admits: (answer: Answer) => boolean,
  ready?: () => Promise<unknown>,
): RedisChecker {
  return {
    ready,
    checkOne: admission(ask, admits),
    keepCalling: async ({ next, admitted, onReply: seen }) => {
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
