import { backendKey } from "@ratelimit/core/backend";
import type { Cluster, Redis } from "ioredis";
import { readStored, type StoredBucket } from "./stored-bucket.ts";
import { type BucketName, bucketPattern, readStoredKey, storedKey } from "./stored-key.ts";

/** A bucket that was found. */
export interface FoundBucket extends BucketName {
  readonly bucket: StoredBucket;
}

/** How many keys Redis examines per SCAN: few enough to answer at once, so that other clients do not wait. */
const scanCount = 500;

/** Finds all buckets that match a pattern, those of each SCAN together. On a Cluster it asks every master. A bucket may appear twice. */
export async function* findBuckets(client: Redis | Cluster, prefix: string, pattern: string): AsyncGenerator<FoundBucket[]> {
  for (const node of "nodes" in client ? client.nodes("master") : [client]) {
    let cursor = "0";
    do {
      const [next, keys] = await node.scan(cursor, "MATCH", pattern, "COUNT", scanCount);
      cursor = next;
      yield await readBuckets(node, prefix, keys);
    } while (cursor !== "0");
  }
}

/** Reads buckets in one round trip. Keys that do not hold one are left out. */
async function readBuckets(node: Redis, prefix: string, keys: readonly string[]): Promise<FoundBucket[]> {
  if (keys.length === 0) return [];
  const reads = node.pipeline();
  for (const key of keys) reads.get(key).pttl(key);
  const replies = (await reads.exec()) ?? [];
  return keys.flatMap((stored, i) => {
    const name = readStoredKey(prefix, stored);
    const bucket = readStored(replies[2 * i]?.[1], Number(replies[2 * i + 1]?.[1]));
    return name === undefined || bucket === undefined ? [] : [{ ...name, bucket }];
  });
}

/** Finds the buckets of a key: that of one limiter with a single read, or those of all limiters with a scan. */
export async function bucketsOfKey(client: Redis | Cluster, prefix: string, key: string, limiter?: string): Promise<FoundBucket[]> {
  if (limiter !== undefined) {
    const stored = storedKey(prefix, { limiter, key });
    const bucket = readStored(await client.get(stored), await client.pttl(stored));
    return bucket === undefined ? [] : [{ limiter, key, bucket }];
  }
  const found = new Map<string, FoundBucket>();
  // The pattern also matches keys that only end like this one.
  for await (const buckets of findBuckets(client, prefix, bucketPattern(prefix, undefined, key)))
    for (const one of buckets) if (one.key === backendKey(key)) found.set(one.limiter, { ...one, key });
  return [...found.values()];
}
