import {
  type Backend,
  type BackendReply,
  definePolicy,
  escapeKey,
  type KeyScope,
  type Policy,
  RateLimitError,
} from "@ratelimit/core/backend";
import { Batch, type Call, type Entry, type Operation, operations, type Reply } from "./batch.ts";
import type { Connection } from "./connection.ts";
import { faultOf, isCrossSlot, isForbiddenKey, unusable } from "./failure.ts";
import { type PolicyArgs, policyArgs } from "./policy-args.ts";
import { bucketScript, type KeyFault, keyFaults } from "./scripts.ts";

/** The probe's bucket lives for a millisecond. */
const probePolicy = definePolicy({ rate: 1000, period: 1 });

/** Buckets in Redis by the script, as they are: whatever goes wrong is an error here, and for others to deal with. */
export class RedisStore implements Backend {
  readonly #connection: Connection;
  readonly #policyArgs = new WeakMap<Policy, PolicyArgs>();
  /** Settles when it is known whether the server is fit for calls, while that is being found out. */
  #readying: Promise<void> | undefined;
  readonly #batch: Batch = new Batch({
    // One script takes keys of one policy, if keys may go together; otherwise one write takes all keys that one node keeps.
    groupOf: ({ id, policyArgs }) => (this.#connection.keysGoTogether ? policyArgs : this.#connection.serverOf(id)),
    one: (call) => this.#one(call),
    many: (entries) => (this.#connection.keysGoTogether ? this.#oneScript(entries) : this.#oneWrite(entries)),
  });

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async take(scope: KeyScope, key: string, cost: number): Promise<BackendReply> {
    // A cost that no limit ever admits is only known to be too much: all of its units might not be countable.
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

  /** Whether a server decides: takes a token from a bucket that is gone in a millisecond, on a key that lies there. */
  async probe({ prefix }: KeyScope, server: string): Promise<void> {
    await this.#connection.ready();
    // No caller's key has this form, because `%` is encoded in those.
    const id = this.#connection.keyOn(server, `${prefix}%probe`);
    await this.#connection.run(bucketScript, [id], ["1", ...(policyArgs(probePolicy).short as readonly string[])]);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Sends a call. Until the server is known to be fit for calls, all of them wait together, so that none overtakes another. */
  #send(operation: Operation, scope: KeyScope, key: string, amount: number): Promise<Reply> {
    if (this.#readying === undefined && this.#connection.isReady)
      return this.#batch.send({ scope, key, id: keyOf(scope, key), operation, amount, policyArgs: this.#argsOf(scope.policy) });
    if (this.#readying === undefined) {
      this.#readying = this.#connection.ready();
      const done = (): void => {
        this.#readying = undefined;
      };
      // Before any of the calls goes on: one that is made then need not wait.
      this.#readying.then(done, done);
    }
    return this.#readying.then(() => this.#send(operation, scope, key, amount));
  }

  /** Writes a policy down for the script, if the server can keep its buckets. */
  #argsOf(policy: Policy): PolicyArgs {
    const known = this.#policyArgs.get(policy);
    if (known !== undefined) return known;
    const { longestFillMs } = this.#connection;
    if (policy.limits.some(({ capacityUnits: full, unitsPerMs: r }) => full / r > longestFillMs))
      throw new RateLimitError(
        "INVALID_POLICY",
        `Expected a policy that fills within ${longestFillMs / 3_600_000} h, because this server keeps longer expiries to the second only: use a smaller burst, or Redis or Valkey`,
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
   * Sends keys of one policy in one script. If Redis refuses it because of its keys, it has executed nothing, so each key is sent again
   * in a script of its own. That serves keys of different slots, and makes a forbidden key fail alone.
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

  /** In a Cluster the keys of a script must share a slot, so each entry has a script of its own, and all of them one write. */
  async #oneWrite(entries: readonly Entry[]): Promise<readonly (Reply | Error)[]> {
    const calls = entries.map((entry) => ({ key: entry.call.id, args: allArgs(entry) }));
    const replies = await this.#connection.runEach(bucketScript, calls);
    return Promise.all(entries.map((entry, i) => replyOrError(replies[i], entry)));
  }

  /** Units in use of each limit of a policy, from those of its distinct limits. */
  #perLimit(policy: Policy, used: readonly number[]): number | readonly number[] {
    const places = this.#policyArgs.get(policy)?.places ?? [];
    return places.length === 1 ? (used[0] as number) : places.map((place) => used[place] as number);
  }
}

/** Where a bucket is kept. */
export function keyOf({ prefix }: KeyScope, key: string): string {
  return prefix + escapeKey(key);
}

/** What the script is told of an entry besides its key and its policy. */
function entryArgs({ call, times }: Entry): [amount: string, times: string] {
  return [String(call.amount), String(call.operation === "take" ? times : operations[call.operation])];
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

/** What the script replied to an entry. */
function replyOf(reply: unknown, { call, times }: Entry): Reply {
  if (reply instanceof Error) throw reply;
  if (isFault(reply)) throw faultOf(reply);
  const { operation, policyArgs } = call;
  if (Array.isArray(reply)) {
    const [count, blockedMs, ...used] = reply.map(integer);
    if (used.length !== policyArgs.limits.length) throw notIntegers();
    return { count: count as number, blockedMs: blockedMs as number, used };
  }
  const number = integer(reply);
  if (operation === "charge" || (operation === "take" && policyArgs.limits.length > 1)) throw notIntegers();
  return number < 0 ? { count: 0, blockedMs: 0, used: [-1 - number] } : { count: times, blockedMs: 0, used: [number] };
}

function isFault(reply: unknown): reply is KeyFault {
  return (keyFaults as readonly unknown[]).includes(reply);
}

/** A number of a reply; some clients are set to return strings. */
function integer(reply: unknown): number {
  const number = typeof reply === "string" && /^-?\d+$/.test(reply) ? Number(reply) : reply;
  if (Number.isSafeInteger(number)) return number as number;
  throw notIntegers();
}

function notIntegers(): RateLimitError {
  return unusable("Expected Redis to answer with integers, got something else: is there a Redis at this address?");
}
