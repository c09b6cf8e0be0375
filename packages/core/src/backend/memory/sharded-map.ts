import type { PackedBucket } from "./packed-bucket.ts";

/** Buckets by key. */
export type Shard = Map<string, PackedBucket>;

/** The most keys to keep in a single Map, and the number of shards for more than that: a power of two. */
const [fewKeys, shardCount] = [16_384, 32];

/**
 * A map of buckets that grows without long pauses.
 *
 * When a Map grows, V8 rebuilds all of it while everything waits: 100 ms at a million keys. With 32 shards, each rebuild takes a small
 * part of that.
 */
export class ShardedMap {
  #shards: readonly [Shard, ...Shard[]] = [new Map()];

  get shards(): readonly Shard[] {
    return this.#shards;
  }

  get isEmpty(): boolean {
    return this.#shards.every(({ size }) => size === 0);
  }

  /** Returns the shard in which `key` is stored, or would be. */
  shardOf(key: string): Shard {
    const first = this.#shards[0];
    return this.#shards.length === 1 && first.size < fewKeys ? first : this.#find(key);
  }

  #find(key: string): Shard {
    if (this.#shards.length === 1) this.#spread(this.#shards[0]);
    return this.#shards[shardNumber(key)] as Shard;
  }

  #spread(whole: Shard): void {
    this.#shards = Array.from({ length: shardCount }, (): Shard => new Map()) as [Shard, ...Shard[]];
    for (const [key, bucket] of whole) (this.#shards[shardNumber(key)] as Shard).set(key, bucket);
    whole.clear();
  }
}

/** Hashes every character, so that keys are spread evenly whichever part of them varies. */
function shardNumber(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 15)) & (shardCount - 1);
}
