import { RateLimitError } from "../errors.ts";
import { expectedSecret } from "../messages.ts";

const longestKey = 1024;
const hashedPrefix = "%sha256:";
const percent = hashedPrefix.charCodeAt(0);

/**
 * Returns the key to pass to a backend: the caller's own, or its digest if it is longer than 1,024 UTF-16 units.
 * A key that looks like a digest is digested too, so that no short key can reach the bucket of a long one.
 */
export function backendKey(key: string): string {
  if (typeof key !== "string" || key === "") throw unusable(key);
  const plain = key.length <= longestKey && (key.charCodeAt(0) !== percent || !key.startsWith(hashedPrefix));
  return plain ? key : hashedPrefix + sha256(key);
}

function unusable(key: unknown): RateLimitError {
  return new RateLimitError(
    "INVALID_KEY",
    expectedSecret("key", "a non-empty string", key, 'pass what identifies the client, such as "user:123"'),
  );
}

/**
 * Escapes a key for a shared store: `%` and `{` are percent-encoded, lone surrogates become `%uD800`.
 * So no key can reach another key's bucket, or choose its slot in a Redis Cluster.
 */
export function escapeKey(key: string): string {
  if (key.startsWith(hashedPrefix)) return key;
  const text = key.includes("%") || key.includes("{") ? key.replace(/[%{]/g, encode) : key;
  return text.isWellFormed() ? text : text.replace(/\p{Surrogate}/gu, encode);
}

/** Escapes a limiter's name for a prefix: separators and hash tags are encoded, so that no name can reach another limiter's keys. */
export function escapeName(name: string): string {
  return name.replace(/[%:{}\s]|\p{Surrogate}/gu, encode);
}

function encode(character: string): string {
  const code = character.charCodeAt(0).toString(16).toUpperCase();
  return code.length <= 2 ? `%${code.padStart(2, "0")}` : `%u${code.padStart(4, "0")}`;
}

/** Loaded on first use, because loading it at startup would cost more than the rest of this package. */
function crypto(): typeof import("node:crypto") {
  return process.getBuiltinModule("node:crypto");
}

/** Hashes the UTF-16 units of a string, because in UTF-8 all lone surrogates would be the same. */
export function sha256(text: string): string {
  return crypto().createHash("sha256").update(text, "utf16le").digest("hex");
}

export function hmacSha256(secret: string | Uint8Array, text: string): string {
  return crypto().createHmac("sha256", secret).update(text, "utf16le").digest("hex");
}
