import type { Limit, Policy } from "../../policy/policy.ts";
import { type Bucket, isSameLimit } from "../bucket.ts";
import { entriesOf } from "./packed-bucket.ts";
import { type Shard, ShardedMap } from "./sharded-map.ts";

/** A set of buckets. Those stored as numbers belong to `limit`. */
export interface Generation {
  readonly limit: Limit;
  readonly buckets: ShardedMap;
}

/** The most generations of a prefix. A further policy shares the newest one and stores its buckets there as lists. */
const maxGenerations = 4;

/**
 * The buckets of one prefix.
 *
 * A new policy gets its own generation. Converting all buckets instead would make one call wait for the conversion of a million others.
 * A bucket moves to the new generation when it is next used, and an older generation is dropped once it has drained.
 */
export class PrefixTable {
  readonly #generations: Generation[] = [];
  #policy: Policy | undefined;
  #own: Generation | undefined;

  get generations(): readonly Generation[] {
    return this.#generations;
  }

  /** Whether a bucket may be in another generation than its policy's. */
  get isMixed(): boolean {
    return this.#generations.length > 1;
  }

  get isEmpty(): boolean {
    return this.#generations.every(({ buckets }) => buckets.isEmpty);
  }

  /** The generation in which a policy stores its buckets. */
  ownOf(policy: Policy): Generation {
    if (policy !== this.#policy || this.#own === undefined) {
      this.#own = this.#find(policy.limits[0]);
      this.#policy = policy;
    }
    return this.#own;
  }

  /** Finds the entries of a bucket in any generation. */
  find(key: string, now: number): { readonly shard: Shard; readonly entries: Bucket } | undefined {
    for (const { limit, buckets } of this.#generations) {
      const shard = buckets.shardOf(key);
      const packed = shard.get(key);
      if (packed !== undefined) return { shard, entries: entriesOf(packed, limit, now) };
    }
    return undefined;
  }

  /** Drops the empty generations, except the one in use. */
  dropDrained(): void {
    for (let i = this.#generations.length - 1; i >= 0; i--) {
      const generation = this.#generations[i] as Generation;
      if (generation !== this.#own && generation.buckets.isEmpty) this.#generations.splice(i, 1);
    }
  }

  #find(limit: Limit): Generation {
    const known = this.#generations.find((generation) => isSameLimit(generation.limit, limit));
    if (known !== undefined) return known;
    if (this.#generations.length >= maxGenerations) this.dropDrained();
    if (this.#generations.length >= maxGenerations) return this.#generations.at(-1) as Generation;
    const made = { limit, buckets: new ShardedMap() };
    this.#generations.push(made);
    return made;
  }
}
