import { isIPv6 } from "node:net";
import type { Awaitable } from "../../backend/backend.ts";
import { isPromise } from "../../backend/backend.ts";
import { hmacSha256, sha256 } from "../../backend/key.ts";
import { RateLimitError } from "../../errors.ts";
import { expectedSecret } from "../../messages.ts";
import { warnOnce } from "../../warnings.ts";
import type { HttpRequest } from "./request.ts";

/** Identifies the bucket that a request takes from. The kind is part of the key, so an address never collides with an equal user id. */
export interface Identity {
  readonly kind: Kind;
  /** `kind:value`. */
  readonly key: string;
}

type Kind = "ip" | "key" | "user" | "apikey";

export function identity(kind: Kind, value: string): Identity {
  return { kind, key: `${kind}:${value}` };
}

/** What happens to a request without a user or without a valid API key: limited by its address, not limited, or refused. */
export type Anonymous = "address" | "skip" | "refuse";

/** Identifies the client of a request, or says what happens to an anonymous one, or that the client hung up and left no address. */
export type Identify<Req> = (req: Req, http: HttpRequest) => Awaitable<Identity | "skip" | "refuse" | "gone">;

/** Returns a custom key for a request; `null`, `undefined` and `""` mean the client's address. */
export type KeyOf<Req> = (req: Req) => Awaitable<string | number | bigint | null | undefined>;

/** Identifies clients by a custom key. A key that is the client's address counts as no key, so that IPv6 networks stay one client. */
export function byKey<Req>(keyOf: KeyOf<Req>, address: Identify<Req>): Identify<Req> {
  const identify: Identify<Req> = (req, http) => after(keyOf(req), (key) => identified(key, req, http));
  return identify;

  function identified(key: unknown, req: Req, http: HttpRequest): ReturnType<Identify<Req>> {
    if (isNobody(key) || key === http.ip) return address(req, http);
    const value = stringOf("key", key);
    if (value.includes(":") && isIPv6(value))
      warnOnce(
        "RATELIMIT_KEY_IS_ADDRESS",
        "The option `key` returns an IPv6 address, so a client gets a bucket for every address of its network; return it from the option `ip` instead",
      );
    return identity("key", value);
  }
}

/** Identifies clients by the user that authentication found: an id, or an object with an `id` or `sub`. */
export function byUser<Req>(userOf: (req: Req) => Awaitable<unknown>, anonymous: Identify<Req>): Identify<Req> {
  return (req, http) =>
    after(userOf(req), (user) => (isNobody(user) ? anonymous(req, http) : identity("user", stringOf("user", idOf(user)))));
}

/** Identifies clients by a digest of their API key. */
export function byApiKey<Req>(
  header: string,
  valid: ((key: string, req: Req) => Awaitable<boolean>) | undefined,
  anonymous: Identify<Req>,
): Identify<Req> {
  return (req, http) => {
    const key = http.header(header)?.trim();
    if (!key) return anonymous(req, http);
    return after(valid ? valid(key, req) : true, (answer) =>
      isYes("valid", answer) ? identity("apikey", sha256(key)) : anonymous(req, http),
    );
  };
}

/** Returns the key to store for an identity. With a secret, the key reveals only the identity's kind. */
export function storedKey({ kind, key }: Identity, secret: string | Uint8Array | undefined): string {
  return secret === undefined ? key : `${kind}:${hmacSha256(secret, key)}`;
}

/**
 * Returns the answer of a callback that must return a boolean.
 * @throws {RateLimitError} INVALID_OPTION otherwise, because a truthy non-boolean is more likely a forgotten `await` than an answer.
 */
export function isYes(option: string, answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  throw new RateLimitError("INVALID_OPTION", expectedSecret(option, "true or false", answer, "return a boolean, or a promise of one"));
}

/** Continues with a callback's answer: synchronously, unless it is a promise. */
function after<T, U>(answer: Awaitable<T>, next: (answer: T) => Awaitable<U>): Awaitable<U> {
  return isPromise(answer) ? answer.then(next) : next(answer);
}

function isNobody(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

function idOf(user: unknown): unknown {
  if (typeof user !== "object" || user === null) return user;
  const { id, sub } = user as { id?: unknown; sub?: unknown };
  return id ?? sub;
}

function stringOf(option: "key" | "user", value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  if (typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value))) return String(value);
  const hint = option === "key" ? "return undefined to limit by the client's address" : "write user: (req) => the user's id, as a string";
  throw new RateLimitError("INVALID_KEY", expectedSecret(option, "a non-empty string, a number or a bigint", value, hint));
}
