import { admission } from "../admission.ts";

/** One limiter with many keys, and the loop that calls it. Built per library, so that the loop calls the library directly. */
export interface Checker {
  /** Makes one call, and returns whether it was admitted. */
  checkOne(key: string): boolean | Promise<boolean>;
  /** Makes `count` calls with the keys at `order[from]`, `order[from + 1]`, ..., and returns how many were admitted. */
  checkMany(keys: readonly string[], order: Uint32Array, from: number, count: number): number | Promise<number>;
  /** Adds a key that stays for longer than a run. Absent if an ordinary call does that. */
  readonly preload?: ((key: string) => void) | undefined;
}

/** Creates the checker of a synchronous library. */
export function syncChecker<Answer>(
  ask: (key: string) => Answer,
  admits: (answer: Answer) => boolean,
  preload?: (key: string) => void,
): Checker {
  return {
    preload,
    checkOne: (key) => admits(ask(key)),
    checkMany: (keys, order, from, count) => {
      let admitted = 0;
      for (let i = from; i < from + count; i++) if (admits(ask(keys[order[i] as number] as string))) admitted++;
      return admitted;
    },
  };
}

/** Creates the checker of a library that returns promises. */
export function asyncChecker<Answer>(
  ask: (key: string) => Promise<Answer>,
  admits: (answer: Answer) => boolean,
  preload?: (key: string) => void,
): Checker {
  return {
    preload,
    checkOne: admission(ask, admits),
    checkMany: async (keys, order, from, count) => {
      let admitted = 0;
      for (let i = from; i < from + count; i++) {
        try {
          if (admits(await ask(keys[order[i] as number] as string))) admitted++;
        } catch (error) {
          if (error instanceof Error) throw error;
        }
      }
      return admitted;
    },
  };
}
