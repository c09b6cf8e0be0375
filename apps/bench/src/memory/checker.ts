import { admission } from "../admission.ts";

/** One limiter with many keys, and the loop that asks it: built per library, so that nothing stands between the two. */
export interface Checker {
  /** Whether a call was admitted. */
  one(key: string): boolean | Promise<boolean>;
  /** How many of `count` calls were, keys in the order of `order` from `from` on. */
  many(keys: readonly string[], order: Uint32Array, from: number, count: number): number | Promise<number>;
  /** Makes a key one that stays for longer than a run; a call where there is nothing to be done for it. */
  readonly settle?: ((key: string) => void) | undefined;
}

/** Of a library that answers at once. */
export function answering<Answer>(
  ask: (key: string) => Answer,
  admits: (answer: Answer) => boolean,
  settle?: (key: string) => void,
): Checker {
  return {
    settle,
    one: (key) => admits(ask(key)),
    many: (keys, order, from, count) => {
      let admitted = 0;
      for (let i = from; i < from + count; i++) if (admits(ask(keys[order[i] as number] as string))) admitted++;
      return admitted;
    },
  };
}

/** Of a library that promises. */
export function promising<Answer>(
  ask: (key: string) => Promise<Answer>,
  admits: (answer: Answer) => boolean,
  settle?: (key: string) => void,
): Checker {
  return {
    settle,
    one: admission(ask, admits),
    many: async (keys, order, from, count) => {
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
