import { Generations } from "./generations.ts";
import { NumberMap } from "./number-map.ts";
import { OpenTable } from "./open-table.ts";
import { Slots } from "./slots.ts";

/** A way to store buckets: for each, the time at which it is full, in whole ms. A full bucket need not be stored. */
export interface Layout {
  /** Takes a token that refills in `tokenMs` from a bucket that fills in `fullMs`, and returns whether there was one. */
  take(key: string, now: number, tokenMs: number, fullMs: number): boolean;
  /** Deletes some of the full buckets. Called every few ms, so its work is bounded. */
  sweep(now: number): void;
  readonly size: number;
}

export const layouts = {
  map: { name: "Map of numbers, swept", make: () => new NumberMap() },
  slots: { name: "Map of indexes into typed arrays, swept", make: () => new Slots() },
  table: { name: "custom open-addressing table, swept", make: () => new OpenTable() },
  generations: { name: "two generations of Maps of numbers", make: (fullMs: number) => new Generations(fullMs) },
} as const satisfies Record<string, { name: string; make: (fullMs: number) => Layout }>;

export type LayoutId = keyof typeof layouts;
