import { type Backend, escapeKey, type Limit, type Policy, RateLimitError, type Scope, type Take } from "@ratelimit/core";
import { open } from "./client.ts";
import { Connection } from "./connection.ts";
import { unusable } from "./failure.ts";
import { checkBackendOptions, type RedisBackendOptions } from "./options.ts";
import { expiryClock, scriptsWith } from "./scripts.ts";

const scripts = scriptsWith(expiryClock);

/** What the scripts are told of a policy, written once. */
interface Written {
  /** Of its first limit full and r. */
  readonly first: readonly string[];
  /** Of each limit name, p, r and full. */
  readonly all: readonly string[];
}

/**
 * Keeps buckets in Redis, so that all processes share one budget: one key for a bucket, one round trip for a call.
 *
 * One of four ways to it: a `url`, some nodes of a `cluster`, the `sentinels` and the `name` of the master, or a `client` of your own.
 * A key expires when its bucket is full. Redis keeps the time; no clock of this process matters. Only what the backend
 * opened is closed by it. Needs Redis 6.2 or Valkey 7.2, or a later one.
 *
 * @throws {RateLimitError} INVALID_OPTION from the constructor, with every problem at once; a password is never shown. From a call:
 * BACKEND, with its `cause`, where Redis does not decide, and with `keyOnly` where only that key holds something else.
 * @example
 * const backend = new RedisBackend({ url: "redis://localhost:6379" });
 * const limiter = new RateLimiter({ rate: 100, period: 60, backend });
 * const { allowed } = await limiter.check("user:123");
 */
export class RedisBackend implements Backend {
  readonly #connection: Connection;
  readonly #written = new WeakMap<Policy, Written>();

  constructor(options: RedisBackendOptions) {
    checkBackendOptions(options);
    if ("client" in options) this.#connection = new Connection(options.client);
    else {
      const client = open(options);
      this.#connection = new Connection(client, client);
    }
  }

  async take(scope: Scope, key: string, cost: number): Promise<Take> {
    const { limits } = scope.policy;
    const { first, all } = this.#written.get(scope.policy) ?? (await this.#write(scope.policy));
    if (limits.length === 1) {
      const reply = await this.#connection.run(scripts.takeOne, keyOf(scope, key), [unitsOf(limits[0], cost), ...first]);
      if (reply !== null) return takeOf(integer(reply));
    }
    const [allowed, ...used] = integers(await this.#connection.run(scripts.take, keyOf(scope, key), [String(cost), ...all]), limits);
    return { allowed: allowed === 1, used: oneOrAll(used) };
  }

  async adjust(scope: Scope, key: string, tokens: number): Promise<Take> {
    const { all } = this.#written.get(scope.policy) ?? (await this.#write(scope.policy));
    const reply = await this.#connection.run(scripts.adjust, keyOf(scope, key), [String(tokens), ...all]);
    const [room, ...used] = integers(reply, scope.policy.limits);
    return { allowed: true, used: oneOrAll(used), uncharged: Math.max(0, tokens - (room as number)) };
  }

  async reset(scope: Scope, key: string): Promise<void> {
    await this.#connection.del(keyOf(scope, key));
  }

  /** Closes the client that the backend opened, within 2.5 s whatever Redis does; a second call does nothing. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Writes down a policy for the scripts, if the server can keep it. */
  async #write(policy: Policy): Promise<Written> {
    await this.#connection.ready();
    const { longestFillMs } = this.#connection;
    if (policy.limits.some(({ full, r }) => full / r > longestFillMs))
      throw new RateLimitError(
        "INVALID_POLICY",
        `Expected a policy that fills within ${longestFillMs / 3_600_000} h, for this server keeps longer expiries to the second only: use a smaller burst, or Redis or Valkey`,
      );
    const written = write(policy);
    this.#written.set(policy, written);
    return written;
  }
}

function keyOf({ prefix }: Scope, key: string): string {
  return prefix + escapeKey(key);
}

function write({ limits }: Policy): Written {
  const [{ full, r }] = limits;
  return {
    first: [full, r].map(String),
    all: limits.flatMap(({ name, p, r, full }) => [name, ...[p, r, full].map(String)]),
  };
}

/** Units of a cost; of one above the burst only that it is, for all its units could not be counted exactly. */
function unitsOf({ burst, p }: Limit, cost: number): string {
  return String(Math.min(cost, burst + 1) * p);
}

function takeOf(reply: number): Take {
  return reply < 0 ? { allowed: false, used: -1 - reply } : { allowed: true, used: reply };
}

function oneOrAll(used: readonly number[]): number | readonly number[] {
  return used.length === 1 ? (used[0] as number) : used;
}

/** A number of a reply; clients may be set to hand out text. */
function integer(reply: unknown): number {
  const number = typeof reply === "string" ? Number(reply) : reply;
  if (Number.isSafeInteger(number)) return number as number;
  throw unusable("Expected Redis to answer with integers, got something else: is there a Redis at this address?");
}

/** One number, then one for each limit. */
function integers(reply: unknown, limits: Policy["limits"]): number[] {
  const numbers = Array.isArray(reply) ? reply.map(integer) : [];
  return numbers.length === limits.length + 1 ? numbers : [integer(undefined)];
}
