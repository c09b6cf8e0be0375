import { type Backend, definePolicy, escapeKey, type Limit, type Policy, RateLimitError, type Scope, type Take } from "@ratelimit/core";
import { Batch, type Outcome, type Sender } from "./batch.ts";
import type { Connection } from "./connection.ts";
import { faultOf, unusable } from "./failure.ts";
import { expiryClock, scriptsWith } from "./scripts.ts";

const scripts = scriptsWith(expiryClock);

/** No key of a caller's has the form of a probe's, for `%` is encoded in those. */
const probePolicy = definePolicy({ rate: 1000, period: 1 });

/** What the scripts are told of a policy, written once. */
interface Written {
  /** Of its first limit full and r. */
  readonly first: readonly string[];
  /** Of each limit name, p, r and full. */
  readonly all: readonly string[];
}

/** Buckets in Redis by the scripts, as they are: what goes wrong is an error here, and somebody else's to deal with. */
export class RedisStore implements Backend {
  readonly #connection: Connection;
  readonly #batch: Batch;
  readonly #written = new WeakMap<Policy, Written>();

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#batch = new Batch({
      serverOf: (key) => connection.serverOf(key),
      one: async (key, args) => {
        const reply = await connection.run(scripts.takeOne, [key], args);
        return reply === null ? null : integer(reply);
      },
      many: (entries) => (connection.isOneServer ? oneScript(connection, entries) : onePipeline(connection, entries)),
      faultOf,
    });
  }

  async take(scope: Scope, key: string, cost: number): Promise<Take> {
    const { limits } = scope.policy;
    const { first, all } = this.#written.get(scope.policy) ?? (await this.#write(scope.policy));
    if (limits.length === 1) {
      const reply = await this.#batch.take(keyOf(scope, key), unitsOf(limits[0], cost), first);
      if (reply !== null) return takeOf(reply);
    }
    const [allowed, ...used] = integers(
      await this.#connection.run(scripts.take, [keyOf(scope, key)], [String(cost), ...all]),
      1 + limits.length,
    );
    return { allowed: allowed === 1, used: oneOrAll(used) };
  }

  async adjust(scope: Scope, key: string, tokens: number): Promise<Take> {
    const { all } = this.#written.get(scope.policy) ?? (await this.#write(scope.policy));
    const reply = await this.#connection.run(scripts.adjust, [keyOf(scope, key)], [String(tokens), ...all]);
    const [room, ...used] = integers(reply, 1 + scope.policy.limits.length);
    return { allowed: true, used: oneOrAll(used), uncharged: Math.max(0, tokens - (room as number)) };
  }

  async reset(scope: Scope, key: string): Promise<void> {
    await this.#connection.del(keyOf(scope, key));
  }

  /** Whether a server decides: takes a token from a bucket that is gone in a millisecond, on a key that lies there. */
  async probe({ prefix }: Scope, server: string): Promise<void> {
    const { first } = this.#written.get(probePolicy) ?? (await this.#write(probePolicy));
    await this.#connection.run(scripts.takeOne, [this.#connection.keyOn(server, `${prefix}%probe`)], ["1", ...first]);
  }

  async close(): Promise<void> {
    await this.#connection.close();
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

type Entries = Parameters<Sender["many"]>[0];

/** Keys of one server need one script. */
async function oneScript(connection: Connection, entries: Entries): Promise<PromiseSettledResult<Outcome>[]> {
  const keys = entries.map(({ key }) => key);
  const args = entries.flatMap(({ args }) => args);
  const numbers = integers(await connection.run(scripts.takeMany, keys, args), 2 * entries.length);
  return entries.map((_, i) => ({ status: "fulfilled", value: numbers.slice(2 * i, 2 * i + 2) as unknown as Outcome }));
}

/** In a Cluster the keys of a script must share a slot, so each has a script of its own, and all one way there and back. */
function onePipeline(connection: Connection, entries: Entries): Promise<PromiseSettledResult<Outcome>[]> {
  const replies = connection.runEach(scripts.takeMany, entries);
  return Promise.allSettled(replies.map(async (reply) => integers(await reply, 2) as unknown as Outcome));
}

/** Where a bucket is kept. */
export function keyOf({ prefix }: Scope, key: string): string {
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
function unitsOf({ burst, p }: Limit, cost: number): number {
  return Math.min(cost, burst + 1) * p;
}

function takeOf(reply: number): Take {
  return reply < 0 ? { allowed: false, used: -1 - reply } : { allowed: true, used: reply };
}

function oneOrAll(used: readonly number[]): number | readonly number[] {
  return used.length === 1 ? (used[0] as number) : used;
}

/** A number of a reply; clients may be set to hand out text. */
function integer(reply: unknown): number {
  const number = typeof reply === "string" && /^-?\d+$/.test(reply) ? Number(reply) : reply;
  if (Number.isSafeInteger(number)) return number as number;
  throw unusable("Expected Redis to answer with integers, got something else: is there a Redis at this address?");
}

function integers(reply: unknown, count: number): number[] {
  const numbers = Array.isArray(reply) ? reply.map(integer) : [];
  return numbers.length === count ? numbers : [integer(undefined)];
}
