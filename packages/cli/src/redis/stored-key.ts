import { backendKey, escapeKey, escapeName } from "@ratelimit/core/backend";

/** A bucket's limiter and key, as a program would write them. */
export interface BucketName {
  readonly limiter: string;
  readonly key: string;
}

/** The key under which Redis stores a bucket. */
export function storedKey(prefix: string, { limiter, key }: BucketName): string {
  return `${prefix}${escapeName(limiter)}:${escapeKey(backendKey(key))}`;
}

/** Finds the limiter and the key of a stored bucket; `undefined` if a stored key has no limiter. */
export function readStoredKey(prefix: string, stored: string): BucketName | undefined {
  const colon = stored.indexOf(":", prefix.length);
  if (!stored.startsWith(prefix) || colon < 0) return undefined;
  return { limiter: unescaped(stored.slice(prefix.length, colon)), key: unescaped(stored.slice(colon + 1)) };
}

/** A pattern for SCAN that matches the stored buckets of a limiter, or of all. */
export function bucketPattern(prefix: string, limiter?: string, key?: string): string {
  const name = limiter === undefined ? "*" : literal(escapeName(limiter));
  return `${literal(prefix)}${name}:${key === undefined ? "*" : literal(escapeKey(backendKey(key)))}`;
}

function literal(text: string): string {
  return text.replace(/[\\*?[\]^]/g, "\\$&");
}

/** Undoes the escapes of `escapeName` and `escapeKey`. A digest stays as it is. */
function unescaped(text: string): string {
  if (text.startsWith("%sha256:")) return text;
  return text.replace(/%u([0-9A-F]{4})|%([0-9A-F]{2})/g, (_, long?: string, short?: string) =>
    String.fromCharCode(Number.parseInt(long ?? (short as string), 16)),
  );
}
