import { RateLimitError } from "../errors.ts";
import { expectedSecret } from "../messages.ts";

const longestKey = 1024;
const hashedPrefix = "%sha256:";
const percent = hashedPrefix.charCodeAt(0);

/**
 * The key that a backend is asked for: the caller's own, or where that is longer than 1,024 UTF-16 units, its digest.
 * A key that looks like a digest is digested too, so that nobody can name the bucket of a long key.
 */
export function backendKey(key: string): string {
  if (typeof key !== "string" || key === "") throw unusable(key);
  const plain = key.length <= longestKey && (key.charCodeAt(0) !== percent || !key.startsWith(hashedPrefix));
  return plain ? key : hashedPrefix + sha256(key);
}

function unusable(key: unknown): RateLimitError {
  return new RateLimitError(
    "INVALID_KEY",
    expectedSecret("key", "a non-empty string", key, 'name whom the limit is for, such as "user:123"'),
  );
}

/**
 * A backend's key as text in a shared store: `%` and `{` percent-encoded, lone surrogates as `%uD800`.
 * No key can reach another's bucket, or choose its slot in a Redis Cluster.
 */
export function escapeKey(key: string): string {
  if (key.startsWith(hashedPrefix)) return key;
  const text = key.includes("%") || key.includes("{") ? key.replace(/[%{]/g, encode) : key;
  return text.isWellFormed() ? text : text.replace(/\p{Surrogate}/gu, encode);
}

/** A limiter's name as part of a prefix: what separates or selects is encoded, so that no name reaches into another's keys. */
export function escapeName(name: string): string {
  return name.replace(/[%:{}\s]|\p{Surrogate}/gu, encode);
}

function encode(character: string): string {
  const code = character.charCodeAt(0).toString(16).toUpperCase();
  return code.length <= 2 ? `%${code.padStart(2, "0")}` : `%u${code.padStart(4, "0")}`;
}

/** Fetched when first needed: loading it at the start would cost more than all of this package. */
function crypto(): typeof import("node:crypto") {
  return process.getBuiltinModule("node:crypto");
}

/** Of the text's UTF-16 units, so that lone surrogates stay apart. */
export function sha256(text: string): string {
  return crypto().createHash("sha256").update(text, "utf16le").digest("hex");
}

export function hmacSha256(secret: string | Buffer, text: string): string {
  return crypto().createHmac("sha256", secret).update(text, "utf16le").digest("hex");
}
