import { Cursor } from "./cursor.ts";
import { levelOf } from "./packed-bucket.ts";
import type { PrefixTable } from "./prefix-table.ts";
import type { Shard } from "./sharded-map.ts";

/**
 * Looks at other buckets that each new key pays for, the fewest that a choice takes, and how many may be saved up to pass over a run of
 * buckets that refuse.
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
   * The bucket nearest full among a few. While all of them refuse, it looks further, as far as the probes saved up allow: on average the
   * price of a new key stays the same, whatever the table holds.
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

  /** Lets go of the maps it looked at. */
  rest(): void {
    this.#cursor.rest();
  }
}
