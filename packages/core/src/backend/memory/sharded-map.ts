import type { PackedBucket } from "./packed-bucket.ts";

/** Buckets by key. */
export type Shard = Map<string, PackedBucket>;

/** Keys that one Map holds well, and the shards that more are spread over: a power of two. */
const [fewKeys, shardCount] = [16_384, 32];

/**
 * A map of buckets that grows without long pauses.
 *
 * When a Map grows, V8 rebuilds all of it and everything waits: 100 ms at a million keys. Of 32 shards, each rebuild stops for a small part of that.
 */
export class ShardedMap {
  #shards: readonly [Shard, ...Shard[]] = [new Map()];

  get shards(): readonly Shard[] {
    return this.#shards;
  }

  get isEmpty(): boolean {
    return this.#shards.every(({ size }) => size === 0);
  }

  /** The shard that holds `key`, or will. */
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

/** Every character counts, so that keys spread whichever part of them varies. */
function shardNumber(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 15)) & (shardCount - 1);
}
