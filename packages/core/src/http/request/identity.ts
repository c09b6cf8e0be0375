import type { Awaitable } from "../../backend/backend.ts";
import { hmacSha256, sha256 } from "../../backend/key.ts";
import { RateLimitError } from "../../errors.ts";
import { expectedSecret } from "../../messages.ts";
import { warnOnce } from "../../warnings.ts";
import { thenMaybe } from "../then-maybe.ts";
import { type Address, identityOf, parseAddress } from "./address.ts";
import { type Trust, trusting, walk } from "./client-ip.ts";
import { proxyWatch } from "./proxies.ts";
import type { HttpRequest } from "./request.ts";

/** Identifies the bucket that a request takes from. The kind is part of the key, so an address never collides with an equal user id. */
export interface Identity {
  readonly kind: Kind;
  /** `kind:value`. */
  readonly key: string;
}

type Kind = "ip" | "key" | "user" | "apikey";

function identity(kind: Kind, value: string): Identity {
  return { kind, key: `${kind}:${value}` };
}

/** What happens to a request without a user or without a valid API key: limited by its address, not limited, or refused. */
export type Anonymous = "address" | "skip" | "refuse";

/** Identifies the client of a request, or says what happens to an anonymous one. */
export type Identify<Req> = (req: Req, http: HttpRequest) => Awaitable<Identity | "skip" | "refuse">;

/** Returns a custom key for a request; `null` and `undefined` mean the client's address. */
export type KeyOf<Req> = (req: Req) => Awaitable<string | number | bigint | null | undefined>;

/** How to find the client's address. */
export interface AddressOptions {
  readonly trust: Trust | undefined;
  readonly ipv6Prefix: number;
}

/** Identifies clients by address. */
export function byAddress({ trust, ipv6Prefix }: AddressOptions): (http: HttpRequest) => Identity {
  const trusts = trust === undefined ? undefined : trusting(trust);
  const watch = trust === undefined ? proxyWatch() : undefined;
  const identify = (client: Address | undefined): Identity => {
    if (client === undefined)
      warnOnce("RATELIMIT_NO_ADDRESS", "A request has no client address; all such requests share one bucket, ip:unknown");
    return identity("ip", client === undefined ? "unknown" : identityOf(client, ipv6Prefix));
  };
  const known = new Map<string, Identity>();
  return (http) => {
    watch?.(http);
    if (trusts) return identify(walk(http.socketAddress, http.header("x-forwarded-for"), trusts));
    const { ip } = http;
    if (ip === undefined) return identify(parseAddress(http.socketAddress));
    const seen = known.get(ip);
    if (seen !== undefined) return seen;
    const client = parseAddress(ip);
    const found = identify(client ?? parseAddress(http.socketAddress));
    if (client !== undefined) remember(known, ip, found);
    return found;
  };
}

/** The number of parsed addresses to cache: parsing one costs more than everything else a guard does for a request. */
const mostKnown = 1000;

function remember(known: Map<string, Identity>, ip: string, identity: Identity): void {
  if (known.size >= mostKnown) known.clear();
  known.set(ip, identity);
}

/** Identifies clients by a custom key. */
export function byKey<Req>(keyOf: KeyOf<Req>, address: (http: HttpRequest) => Identity): Identify<Req> {
  return (req, http) =>
    thenMaybe(keyOf(req), (key) => (key === null || key === undefined ? address(http) : identity("key", textOf("key", key))));
}

/** Identifies clients by the user that authentication found: an id, or an object with an `id` or `sub`. */
export function byUser<Req>(userOf: (req: Req) => Awaitable<unknown>, nobody: Identify<Req>): Identify<Req> {
  return (req, http) =>
    thenMaybe(userOf(req), (user) => {
      if (user === null || user === undefined) return nobody(req, http);
      return identity("user", textOf("user", idOf(user)));
    });
}

/** Identifies clients by a digest of their API key. */
export function byApiKey<Req>(
  header: string,
  valid: ((key: string, req: Req) => Awaitable<boolean>) | undefined,
  nobody: Identify<Req>,
): Identify<Req> {
  return (req, http) => {
    const key = http.header(header)?.trim();
    if (!key) return nobody(req, http);
    return thenMaybe(valid ? valid(key, req) : true, (good) => (good === true ? identity("apikey", sha256(key)) : nobody(req, http)));
  };
}

/** Returns the key to store for an identity. With a secret, the key reveals only the identity's kind. */
export function storedKey({ kind, key }: Identity, secret: string | Buffer | undefined): string {
  return secret === undefined ? key : `${kind}:${hmacSha256(secret, key)}`;
}

function idOf(user: unknown): unknown {
  if (typeof user !== "object" || user === null) return user;
  const { id, sub } = user as { id?: unknown; sub?: unknown };
  return id ?? sub;
}

function textOf(option: "key" | "user", value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  if (typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value))) return String(value);
  const hint = option === "key" ? "return undefined to limit by the client's address" : "write user: (req) => the user's id, as a string";
  throw new RateLimitError("INVALID_KEY", expectedSecret(option, "a non-empty string, a number or a bigint", value, hint));
}
