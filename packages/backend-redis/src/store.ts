import { type Awaitable, type Backend, definePolicy, escapeKey, type Policy, RateLimitError, type Scope, type Take } from "@ratelimit/core";
import { Batch, type Entry, type Outcome, type Taking, unitsOf } from "./batch.ts";
import type { Connection } from "./connection.ts";
import type { DenyCache } from "./deny-cache.ts";
import { faultOf, unusable } from "./failure.ts";
import { expiryClock, type KeyFault, keyFaults, scriptsWith } from "./scripts.ts";
import { type Written, write } from "./written.ts";

const scripts = scriptsWith(expiryClock);

/** No key of a caller's has the form of a probe's, for `%` is encoded in those. */
const probePolicy = definePolicy({ rate: 1000, period: 1 });

/** Buckets in Redis by the scripts, as they are: what goes wrong is an error here, and somebody else's to deal with. */
export class RedisStore implements Backend {
  readonly #connection: Connection;
  /** Told of every answer. */
  readonly #denials: DenyCache | undefined;
  readonly #written = new WeakMap<Policy, Written>();
  readonly #batch: Batch = new Batch({
    // The keys of a script must lie on one server, and are all of one policy; one write takes whatever one node keeps.
    groupOf: ({ id, written }) => (this.#connection.isOneServer ? written : this.#connection.serverOf(id)),
    several: (taking) => this.#takeAll(taking),
    one: (taking) => this.#takeOne(taking),
    many: (entries) => this.#takeMany(entries),
  });

  constructor(connection: Connection, denials: DenyCache | undefined) {
    this.#connection = connection;
    this.#denials = denials;
  }

  take(scope: Scope, key: string, cost: number): Awaitable<Take> {
    const { policy } = scope;
    const written = this.#written.get(policy);
    if (written === undefined) return this.#write(policy).then(() => this.take(scope, key, cost));
    const taking: Taking = { scope, key, id: keyOf(scope, key), cost, written };
    return policy.limits.length === 1 ? this.#batch.take(taking) : this.#takeAll(taking);
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

  async #takeOne(taking: Taking): Promise<Take> {
    const sentAt = this.#now();
    const reply = await this.#connection.run(scripts.takeOne, [taking.id], [String(unitsOf(taking)), ...taking.written.first]);
    if (reply === null) return this.#takeAll(taking);
    const number = integer(reply);
    const take = number < 0 ? { allowed: false, used: -1 - number } : { allowed: true, used: number };
    this.#note(taking, take, sentAt);
    return take;
  }

  async #takeAll(taking: Taking): Promise<Take> {
    const sentAt = this.#now();
    const reply = await this.#connection.run(scripts.take, [taking.id], [String(taking.cost), ...taking.written.all]);
    const [allowed, ...used] = integers(reply, 1 + taking.scope.policy.limits.length);
    const take = { allowed: allowed === 1, used: oneOrAll(used) };
    this.#note(taking, take, sentAt);
    return take;
  }

  async #takeMany(entries: readonly Entry[]): Promise<readonly Outcome[]> {
    const sentAt = this.#now();
    const outcomes = await (this.#connection.isOneServer ? this.#oneScript(entries) : this.#oneWrite(entries));
    for (const [i, { taking, calls }] of entries.entries()) {
      const outcome = outcomes[i] as Outcome;
      if (outcome === "several" || outcome instanceof Error) continue;
      const [used, admitted] = outcome;
      this.#note(taking, { allowed: admitted === calls.length, used }, sentAt);
    }
    return outcomes;
  }

  /** Keys of one server and one policy need one script. */
  async #oneScript(entries: readonly Entry[]): Promise<readonly Outcome[]> {
    const keys = entries.map(({ taking }) => taking.id);
    const { first } = (entries[0] as Entry).taking.written;
    return outcomesOf(entries, await this.#connection.run(scripts.takeMany, keys, [...entries.flatMap(countOf), ...first]));
  }

  /** In a Cluster the keys of a script must share a slot, so each has a script of its own, and all one way there and back. */
  async #oneWrite(entries: readonly Entry[]): Promise<readonly Outcome[]> {
    const calls = entries.map((entry) => ({ key: entry.taking.id, args: [...countOf(entry), ...entry.taking.written.first] }));
    const replies = await this.#connection.runEach(scripts.takeMany, calls);
    return entries.map((entry, i) => {
      const reply = replies[i];
      return reply instanceof Error ? reply : (outcomesOf([entry], reply)[0] as Outcome);
    });
  }

  #note({ scope, key, cost }: Taking, take: Take, sentAt: number): void {
    this.#denials?.note(scope, key, cost, take, sentAt);
  }

  #now(): number {
    return this.#denials?.clock.now() ?? 0;
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

/** Where a bucket is kept. */
export function keyOf({ prefix }: Scope, key: string): string {
  return prefix + escapeKey(key);
}

/** What `takeMany` is told of an entry besides its key and its policy. */
function countOf({ taking, calls }: Entry): [units: string, times: string] {
  return [String(unitsOf(taking)), String(calls.length)];
}

function oneOrAll(used: readonly number[]): number | readonly number[] {
  return used.length === 1 ? (used[0] as number) : used;
}

/** What `takeMany` replied: as many outcomes as it had entries. */
function outcomesOf(entries: readonly Entry[], reply: unknown): Outcome[] {
  if (!Array.isArray(reply) || reply.length !== entries.length) return entries.map(() => notIntegers());
  return entries.map(({ calls }, i) => {
    try {
      return outcomeOf(reply[i], calls.length);
    } catch (error) {
      return error as RateLimitError;
    }
  });
}

function outcomeOf(reply: unknown, times: number): Outcome {
  if (Array.isArray(reply)) return integers(reply, 2) as unknown as Outcome;
  if (isFault(reply)) return reply === "several" ? reply : faultOf(reply);
  const number = integer(reply);
  return number < 0 ? [-1 - number, 0] : [number, times];
}

function isFault(reply: unknown): reply is KeyFault {
  return (keyFaults as readonly unknown[]).includes(reply);
}

/** A number of a reply; clients may be set to hand out text. */
function integer(reply: unknown): number {
  const number = typeof reply === "string" && /^-?\d+$/.test(reply) ? Number(reply) : reply;
  if (Number.isSafeInteger(number)) return number as number;
  throw notIntegers();
}

function integers(reply: unknown, count: number): number[] {
  const numbers = Array.isArray(reply) ? reply.map(integer) : [];
  return numbers.length === count ? numbers : [integer(undefined)];
}

function notIntegers(): RateLimitError {
  return unusable("Expected Redis to answer with integers, got something else: is there a Redis at this address?");
}
