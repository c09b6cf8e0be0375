import { backendKey } from "@ratelimit/core/backend";
import type { Cluster, Redis } from "ioredis";
import { Failure } from "../failure.ts";
import { readStored, type StoredBucket } from "./stored-bucket.ts";
import { type BucketName, bucketPattern, readStoredKey, storedKey } from "./stored-key.ts";

/** A bucket that was found. */
export interface FoundBucket extends BucketName {
  readonly bucket: StoredBucket;
}

/** How many keys Redis examines per SCAN: few enough to answer at once, so that other clients do not wait. */
const scanCount = 500;

/** Finds all buckets that match a pattern, those of each SCAN together. On a Cluster it asks every master. A bucket may appear twice. */
export async function* findBuckets(
  client: Redis | Cluster,
  prefix: string,
  pattern: string,
  foreign: (name: BucketName) => void = () => {},
): AsyncGenerator<FoundBucket[]> {
  for (const node of "nodes" in client ? client.nodes("master") : [client]) {
    let cursor = "0";
    do {
      const [next, keys] = await node.scan(cursor, "MATCH", pattern, "COUNT", scanCount);
      cursor = next;
      yield await readBuckets(node, prefix, keys, foreign);
    } while (cursor !== "0");
  }
}

/** Reads buckets in one round trip. Keys that hold something else are left out, unless `foreign` is told about them. */
async function readBuckets(
  node: Redis,
  prefix: string,
  keys: readonly string[],
  foreign: (name: BucketName) => void,
): Promise<FoundBucket[]> {
  if (keys.length === 0) return [];
  const reads = node.pipeline();
  for (const key of keys) reads.get(key).pttl(key);
  const replies = (await reads.exec()) ?? [];
  return keys.flatMap((stored, i) => {
    const name = readStoredKey(prefix, stored);
    const [error, value] = replies[2 * i] ?? [];
    if (error && !isWrongType(error)) throw error;
    const ttlMs = Number(replies[2 * i + 1]?.[1]);
    if (name === undefined || ttlMs === gone) return [];
    const bucket = error ? undefined : readStored(value, ttlMs);
    if (bucket !== undefined) return [{ ...name, bucket }];
    foreign(name);
    return [];
  });
}

/** What PTTL returns for a key that has expired since SCAN returned it. */
const gone = -2;

function isWrongType({ message }: Error): boolean {
  return message.startsWith("WRONGTYPE");
}

/**
 * Finds the buckets of a key: that of one limiter with a single read, or those of all limiters with a scan.
 * @throws {Failure} if something else is stored in the place of a bucket.
 */
export async function bucketsOfKey(client: Redis | Cluster, prefix: string, key: string, limiter?: string): Promise<FoundBucket[]> {
  if (limiter !== undefined) {
    const stored = storedKey(prefix, { limiter, key });
    const value = await client.get(stored).catch((error: Error) => {
      throw isWrongType(error) ? foreignValue({ limiter, key }) : error;
    });
    const bucket = readStored(value, await client.pttl(stored));
    if (bucket === undefined && value !== null) throw foreignValue({ limiter, key });
    return bucket === undefined ? [] : [{ limiter, key, bucket }];
  }
  const found = new Map<string, FoundBucket>();
  // The pattern also matches keys that only end like this one.
  const isKey = (name: BucketName): boolean => name.key === backendKey(key);
  const foreign = (name: BucketName): void => {
    if (isKey(name)) throw foreignValue({ ...name, key });
  };
  for await (const buckets of findBuckets(client, prefix, bucketPattern(prefix, undefined, key), foreign))
    for (const one of buckets) if (isKey(one)) found.set(one.limiter, { ...one, key });
  return [...found.values()];
}

function foreignValue({ limiter, key }: BucketName): Failure {
  const what = `Something that is not a bucket is stored for ${JSON.stringify(key)} of the limiter ${JSON.stringify(limiter)}`;
  return new Failure(`${what}: its calls are decided without Redis until you remove it with ratelimit reset`);
}
