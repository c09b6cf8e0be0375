import { Generations } from "./generations.ts";
import { NumberMap } from "./number-map.ts";
import { OpenTable } from "./open-table.ts";
import { Slots } from "./slots.ts";

/** A way to keep buckets: when each is full again, in whole ms; a full one need not be kept. */
export interface Layout {
  /** Takes a token that takes `tokenMs` to come back from a bucket that fills in `fullMs`; whether it was there. */
  take(key: string, now: number, tokenMs: number, fullMs: number): boolean;
  /** Gives back some of what is full; a bounded piece of work, done every few ms. */
  sweep(now: number): void;
  readonly size: number;
}

export const layouts = {
  map: { name: "Map of numbers, swept", make: () => new NumberMap() },
  slots: { name: "Map of slots in typed arrays, swept", make: () => new Slots() },
  table: { name: "own open-addressing table, swept", make: () => new OpenTable() },
  generations: { name: "two generations of Maps of numbers", make: (fullMs: number) => new Generations(fullMs) },
} as const satisfies Record<string, { name: string; make: (fullMs: number) => Layout }>;

export type LayoutId = keyof typeof layouts;
