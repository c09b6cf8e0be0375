import { Cursor } from "./cursor.ts";
import { levelOf } from "./packed-bucket.ts";
import type { PrefixTable } from "./prefix-table.ts";
import type { Shard } from "./sharded-map.ts";

/**
 * The number of buckets that each new key pays to examine, the fewest to examine per choice, and how many unused ones can be saved up, to
 * get past a run of buckets that refuse.
 */
const [probesPerKey, fewestProbes, maxProbes] = [12, 8, 4096];

/** Chooses the buckets that a full table forgets. */
export class Evictor {
  readonly #cursor: Cursor;
  #probes = maxProbes;

  constructor(tables: ReadonlyMap<string, PrefixTable>) {
    this.#cursor = new Cursor(tables);
  }

  /**
   * Chooses the bucket nearest full among a few. While all of them refuse, it looks further, as far as the saved probes allow. So the
   * average cost of a new key is constant, whatever is in the table.
   */
  choose(now: number): { readonly shard: Shard; readonly key: string } {
    const cursor = this.#cursor;
    this.#probes = Math.min(maxProbes, this.#probes + probesPerKey);
    let [chosen, least]: [{ shard: Shard; key: string } | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    for (let seen = 0; seen === 0 || (least > 0 && this.#probes > 0 && (seen < fewestProbes || least > 1)); seen++) {
      if (!cursor.next()) cursor.next();
      this.#probes--;
      const level = levelOf(cursor.bucket, cursor.generation.limit, now);
      if (chosen === undefined || level < least) [chosen, least] = [{ shard: cursor.shard, key: cursor.key }, level];
    }
    return chosen as { shard: Shard; key: string };
  }

  /** Releases the maps that it looked at. */
  rest(): void {
    this.#cursor.rest();
  }
}
