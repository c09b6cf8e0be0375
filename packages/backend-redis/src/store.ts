import { randomInt } from "node:crypto";
import {
  type Backend,
  type BackendReply,
  definePolicy,
  escapeKey,
  type KeyScope,
  type LeaseGrant,
  type LeaseRequest,
  type Policy,
  RateLimitError,
} from "@ratelimit/core/backend";
import { Batch, type Call, type Entry, type Operation, operations, type Reply } from "./batch.ts";
import type { Connection } from "./connection.ts";
import { faultOf, isCrossSlot, isForbiddenKey, unusable } from "./failure.ts";
import { type PolicyArgs, policyArgs } from "./policy-args.ts";
import { bucketScript, type KeyFault, keyFaults } from "./scripts.ts";

/** Names of generations are random, so that a bucket which was deleted does not take what was leased before for its own. */
const mostGenerations = 2 ** 47;

/** The bucket of a probe fills in a millisecond, so its key expires at once. */
const probePolicy = definePolicy({ rate: 1000, period: 1 });

/** Runs every call on the buckets in Redis through the script. Any failure is thrown, and `resilient` deals with it. */
export class RedisStore implements Backend {
  readonly #connection: Connection;
  readonly #policyArgs = new WeakMap<Policy, PolicyArgs>();
  /** Settles when the server is known to be usable or not. Set only while that is being checked. */
  #readying: Promise<void> | undefined;
  readonly #batch: Batch = new Batch({
    // If keys may share a script, a group is the keys of one policy. Otherwise it is the keys of one node, which share a write.
    groupOf: ({ id, policyArgs }) => (this.#connection.keysGoTogether ? policyArgs : this.#connection.serverOf(id)),
    one: (call) => this.#one(call),
    many: (entries) => (this.#connection.keysGoTogether ? this.#oneScript(entries) : this.#oneWrite(entries)),
  });

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async take(scope: KeyScope, key: string, cost: number): Promise<BackendReply> {
    // Cap a cost that no limit can ever admit: counted in units it might exceed a safe integer.
    const amount = Math.min(cost, 1 + Math.max(...scope.policy.limits.map(({ burst }) => burst)));
    const { count, blockedMs, used } = await this.#send("take", scope, key, amount);
    return { allowed: count > 0, used: this.#perLimit(scope.policy, used), ...(blockedMs > 0 && { blockedMs }) };
  }

  async adjust(scope: KeyScope, key: string, tokens: number): Promise<BackendReply> {
    const { count, blockedMs, used } = await this.#send("charge", scope, key, tokens);
    const uncharged = Math.max(0, tokens - count);
    return { allowed: true, used: this.#perLimit(scope.policy, used), uncharged, ...(blockedMs > 0 && { blockedMs }) };
  }

  async block(scope: KeyScope, key: string, ms: number): Promise<void> {
    await this.#send("block", scope, key, ms);
  }

  async reset(scope: KeyScope, key: string): Promise<void> {
    await this.#send("reset", scope, key, 0);
  }

  /** Takes tokens that this process spends later, and hands back what is left of earlier ones. */
  async lease(scope: KeyScope, key: string, { tokens, horizonMs, validMs, handBack }: LeaseRequest): Promise<LeaseGrant> {
    const terms = [
      [tokens, horizonMs, validMs, randomInt(1, mostGenerations)],
      ...handBack.map((part) => [part.generation, part.held, part.unspent]),
    ];
    const text = terms.map((numbers) => numbers.join(":")).join("|");
    const { count, blockedMs, used: numbers } = await this.#send("lease", scope, key, 0, text);
    const [generation, ...units] = numbers as [number, ...number[]];
    const used = this.#eachLimit(scope.policy, units.slice(0, units.length / 2));
    const held = this.#eachLimit(scope.policy, units.slice(units.length / 2));
    return { tokens: count, generation, used, held, blockedMs };
  }

  /** Checks that a server decides calls, by taking a token on a key that it keeps, from a bucket that is gone after a millisecond. */
  async probe({ prefix }: KeyScope, server: string): Promise<void> {
    await this.#connection.ready();
    // No caller's key can look like this, because `%` is encoded in keys.
    const id = this.#connection.keyOn(server, `${prefix}%probe`);
    await this.#connection.run(bucketScript, [id], ["1", ...(policyArgs(probePolicy).short as readonly string[])]);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Sends a call. Until the server is known to be usable, all calls wait together, so that none overtakes another. */
  #send(operation: Operation, scope: KeyScope, key: string, amount: number, terms?: string): Promise<Reply> {
    if (this.#readying === undefined && this.#connection.isReady)
      return this.#batch.send({ scope, key, id: keyOf(scope, key), operation, amount, terms, policyArgs: this.#argsOf(scope.policy) });
    if (this.#readying === undefined) {
      this.#readying = this.#connection.ready();
      const done = (): void => {
        this.#readying = undefined;
      };
      // Registered before the waiting calls, so that a call made when they resume does not wait too.
      this.#readying.then(done, done);
    }
    return this.#readying.then(() => this.#send(operation, scope, key, amount, terms));
  }

  /**
   * Returns the script arguments of a policy, which are built once.
   * @throws {RateLimitError} INVALID_POLICY if its buckets fill too slowly for this server to keep.
   */
  #argsOf(policy: Policy): PolicyArgs {
    const known = this.#policyArgs.get(policy);
    if (known !== undefined) return known;
    const { longestFillMs } = this.#connection;
    if (policy.limits.some(({ capacityUnits: full, unitsPerMs: r }) => full / r > longestFillMs))
      throw new RateLimitError(
        "INVALID_POLICY",
        `Expected a policy that fills within ${longestFillMs / 3_600_000} h, because this server rounds longer expiries to whole seconds: use a smaller burst, or Redis or Valkey`,
      );
    const args = policyArgs(policy);
    this.#policyArgs.set(policy, args);
    return args;
  }

  async #one(call: Call): Promise<Reply> {
    const { short, limits } = call.policyArgs;
    const args =
      call.operation === "take" && short !== undefined
        ? [String(call.amount * (limits[0]?.unitsPerToken ?? 1)), ...short]
        : [...entryArgs({ call, times: 1 }), ...call.policyArgs.long];
    return replyOf(await this.#connection.run(bucketScript, [call.id], args), { call, times: 1 });
  }

  /**
   * Sends keys of one policy in one script. If Redis refuses the script because of its keys, it has executed nothing, so each key is sent
   * again in its own script. Keys of different slots then succeed, and a forbidden key fails alone.
   */
  async #oneScript(entries: readonly Entry[]): Promise<readonly (Reply | Error)[]> {
    const [first] = entries as readonly [Entry];
    if (entries.length === 1) return [await replyOrError(this.#connection.run(bucketScript, [first.call.id], allArgs(first)), first)];
    const keys = entries.map(({ call }) => call.id);
    let replies: unknown;
    try {
      replies = await this.#connection.run(bucketScript, keys, [...entries.flatMap(entryArgs), ...first.call.policyArgs.long]);
    } catch (error) {
      const { cause } = error as RateLimitError;
      if (isCrossSlot(cause)) this.#connection.keepKeysApart();
      else if (!isForbiddenKey(cause)) throw error;
      return this.#oneWrite(entries);
    }
    if (!Array.isArray(replies) || replies.length !== entries.length) return entries.map(notIntegers);
    return Promise.all(entries.map((entry, i) => replyOrError(replies[i], entry)));
  }

  /** Sends each entry in its own script, all in one write, because in a Cluster the keys of a script must share a slot. */
  async #oneWrite(entries: readonly Entry[]): Promise<readonly (Reply | Error)[]> {
    const calls = entries.map((entry) => ({ key: entry.call.id, args: allArgs(entry) }));
    const replies = await this.#connection.runEach(bucketScript, calls);
    return Promise.all(entries.map((entry, i) => replyOrError(replies[i], entry)));
  }

  /** Maps the units in use of a policy's distinct limits to all of its limits. */
  #perLimit(policy: Policy, used: readonly number[]): number | readonly number[] {
    const units = this.#eachLimit(policy, used);
    return units.length === 1 ? (units[0] as number) : units;
  }

  #eachLimit(policy: Policy, units: readonly number[]): readonly number[] {
    return this.#policyArgs.get(policy)?.places.map((place) => units[place] as number) ?? [];
  }
}

/** Returns the Redis key of a bucket. */
export function keyOf({ prefix }: KeyScope, key: string): string {
  return prefix + escapeKey(key);
}

/** Returns the script arguments of one entry, apart from its key and policy. */
function entryArgs({ call, times }: Entry): [amount: string, times: string] {
  return [call.terms ?? String(call.amount), String(call.operation === "take" ? times : operations[call.operation])];
}

function allArgs(entry: Entry): string[] {
  return [...entryArgs(entry), ...entry.call.policyArgs.long];
}

async function replyOrError(reply: unknown, entry: Entry): Promise<Reply | Error> {
  try {
    return replyOf(await reply, entry);
  } catch (error) {
    return error as Error;
  }
}

/**
 * Parses what the script replied to an entry.
 * @throws {RateLimitError} BACKEND if it is an error or not a reply of this script.
 */
function replyOf(reply: unknown, { call, times }: Entry): Reply {
  if (reply instanceof Error) throw reply;
  if (isFault(reply)) throw faultOf(reply);
  const { operation, policyArgs } = call;
  if (Array.isArray(reply)) {
    const [count, blockedMs, ...used] = reply.map(integer);
    if (used.length !== (operation === "lease" ? 1 + 2 * policyArgs.limits.length : policyArgs.limits.length)) throw notIntegers();
    return { count: count as number, blockedMs: blockedMs as number, used };
  }
  const number = integer(reply);
  if (operation === "charge" || operation === "lease" || (operation === "take" && policyArgs.limits.length > 1)) throw notIntegers();
  return number < 0 ? { count: 0, blockedMs: 0, used: [-1 - number] } : { count: times, blockedMs: 0, used: [number] };
}

function isFault(reply: unknown): reply is KeyFault {
  return (keyFaults as readonly unknown[]).includes(reply);
}

/** Reads an integer from a reply. Some clients are configured to return numbers as strings. */
function integer(reply: unknown): number {
  const number = typeof reply === "string" && /^-?\d+$/.test(reply) ? Number(reply) : reply;
  if (Number.isSafeInteger(number)) return number as number;
  throw notIntegers();
}

function notIntegers(): RateLimitError {
  return unusable("Expected Redis to answer with integers, got something else: check that this is the address of a Redis server");
}
