import type { Awaitable, Backend, BackendReply, KeyScope, SyncBackend } from "../backend/backend.ts";
import { isAnswered } from "../backend/backend.ts";
import { backendKey } from "../backend/key.ts";
import { processClock } from "../clock.ts";
import {
  type LimiterSettings,
  limiterRules,
  type PolicySource,
  policySourceRules,
  type RateLimiterOptions,
  readLimiterOptions,
  readPolicySource,
} from "../config/limiter-options.ts";
import { RateLimitExceeded } from "../decision/exceeded-error.ts";
import { isDecided, neededOf, type RateLimitResult, toResult, unitsOf } from "../decision/result.ts";
import { RateLimitError } from "../errors.ts";
import { expected } from "../messages.ts";
import { peerOptionHint } from "../peer-options.ts";
import { type Duration, durationForm, durationMs, type TimeSpan, timeSpanMs } from "../policy/duration.ts";
import type { Policy } from "../policy/policy.ts";
import { fits } from "../policy/token-bucket.ts";
import { checkOptions, Problems, type Rules, rule } from "../validation.ts";
import { type CostOption, checkedCost, costOf } from "./cost.ts";
import { decisionsAreHeard, publishBlock, publishDecision } from "./diagnostics.ts";
import { join, leave, type SharedScope, setPolicy } from "./scope.ts";

/** Options of `wait`: what may end the wait early. */
export interface WaitOptions extends CostOption {
  /**
   * The longest time to wait, with its unit, such as `"5s"`.
   * @defaultValue no bound
   */
  maxWait?: TimeSpan | undefined;
  /** Ends the wait when it is aborted. */
  signal?: AbortSignal | undefined;
}

/** The options of `wait`. `checkedCost` checks the cost, because it has an error code of its own. */
const waitRules: Rules = {
  cost: rule.readElsewhere,
  maxWait: {
    expects: "a length of time with its unit",
    accepts: (value) => timeSpanMs(value) !== undefined,
    hint: 'write maxWait: "5s"',
  },
  signal: { expects: "an AbortSignal", accepts: (value) => value instanceof AbortSignal, hint: "write signal: controller.signal" },
};

/** The options of `update`. Here `name` names the limit, not the limiter. */
const updateRules: Rules = { ...policySourceRules, name: rule.readElsewhere };

/**
 * Limits calls with token buckets. Each `period` (in seconds, 60 by default), `rate` tokens flow into a bucket that holds `burst` tokens
 * (`rate` by default). A call takes `cost` tokens (1 by default), or is refused if fewer are left.
 *
 * A refusal is a value, not an exception. Each key, a non-empty string, has its own bucket. Limiters with the same `name` and
 * `keyPrefix` on the same backend share their buckets, so they must have the same policy.
 *
 * @throws {RateLimitError} The constructor throws INVALID_POLICY or INVALID_OPTION and lists every problem. Methods throw INVALID_KEY
 * or INVALID_COST before they ask the backend, INVALID_OPTION after `close()`, and BACKEND if the backend fails.
 * @example
 * const limiter = new RateLimiter({ rate: 100, period: "1m", burst: 150, backend: new MemoryBackend() });
 * const result = await limiter.check("user:123");
 * if (!result.allowed) console.log(`Retry after ${result.retryAfter} seconds`);
 */
export class RateLimiter<B extends Backend = Backend> {
  readonly backend: B;
  /** Selects the buckets: limiters with the same name on the same backend share them. */
  readonly name: string;
  readonly #shared: SharedScope;
  #closed = false;

  constructor(options: RateLimiterOptions<B>) {
    const problems = Problems.none(peerOptionHint);
    const given = problems.read("options", options, limiterRules);
    const read = given && readLimiterOptions<B>(problems, given);
    problems.throwIfAny("INVALID_OPTION");
    const settings = read as LimiterSettings<B>;
    this.backend = settings.backend;
    this.name = settings.name;
    this.#shared = join(settings);
  }

  /** The current policy. `update` replaces it. */
  get policy(): Policy {
    return this.#shared.scope.policy;
  }

  /** Takes `cost` tokens (1 by default) for `key`, or refuses the call and takes none. A refusal is a value, not an exception. */
  check(key: string, options?: CostOption): Promise<RateLimitResult> {
    // Not `async`: returning a promise from an async function delays it by three microtasks.
    try {
      const decided = this.decide(key, costOf(options));
      return isDecided(decided) ? Promise.resolve(decided) : decided;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Does what `check` does, without a promise. It compiles only if the backend is synchronous. */
  checkSync(this: RateLimiter<SyncBackend>, key: string, options?: CostOption): RateLimitResult {
    const result = this.decide(key, costOf(options));
    if (isDecided(result)) return result;
    result.catch(() => {});
    throw new RateLimitError("INVALID_OPTION", expected("backend", "synchronous for checkSync", this.backend, "use check()"));
  }

  /**
   * Takes `cost` tokens (1 by default), or throws `RateLimitExceeded`, which the frameworks turn into a 429.
   * If the backend is out and `outage: "closed"` refuses the call, it throws `RateLimitError` BACKEND instead, a 503.
   */
  async enforce(key: string, options?: CostOption): Promise<RateLimitResult> {
    const { policy } = this;
    const result = await this.decide(key, costOf(options));
    if (result.allowed) return result;
    if (result.source === "closed") throw new RateLimitError("BACKEND", 'The backend is out and `outage` is "closed": retry in a second');
    throw new RateLimitExceeded(result, { key, policy });
  }

  /** Reads the bucket and takes nothing. `allowed` and `retryAfter` show whether a call of `cost` (1 by default) would pass now. */
  async peek(key: string, options?: CostOption): Promise<RateLimitResult> {
    const cost = checkedCost(costOf(options));
    const { policy } = this.#shared.scope;
    const reply = await this.#usableBackend().take(this.#shared.scope, backendKey(key), 0);
    const decided = reply.source === "closed" || reply.source === "open";
    const allowed = decided
      ? reply.allowed
      : reply.blockedMs === undefined && policy.limits.every((limit, i) => fits(limit, unitsOf(reply, i), neededOf(limit, reply, cost)));
    return toResult(policy, { ...reply, allowed }, cost);
  }

  /** Gives back `tokens` (1 by default). The bucket never holds more than `burst`. */
  async refund(key: string, tokens: number = 1): Promise<RateLimitResult> {
    return (await this.#adjust(key, tokens, -1)).result;
  }

  /**
   * Charges `tokens` after the fact (LLM tokens, bytes), even if fewer are left, down to a debt of one burst.
   * `uncharged` is the number of whole tokens that did not fit into that debt.
   */
  async charge(key: string, tokens: number): Promise<RateLimitResult & { uncharged: number }> {
    const { result, reply } = await this.#adjust(key, tokens, 1);
    return { ...result, uncharged: reply.uncharged ?? 0 };
  }

  /**
   * Waits until it has taken `cost` tokens (1 by default). Within this process, calls for one key are served in order.
   *
   * @throws {RateLimitError} WAIT_TIMEOUT if `maxWait` is too short, INVALID_OPTION if the limiter is closed during the wait, and
   * `RateLimitExceeded` if the cost exceeds the burst. If `signal` is aborted, its reason is thrown.
   */
  async wait(key: string, options: WaitOptions = {}): Promise<RateLimitResult> {
    checkOptions("options", options, waitRules);
    const { cost: given = 1, maxWait, signal } = options;
    const cost = checkedCost(given);
    const maxWaitMs = maxWait === undefined ? Number.POSITIVE_INFINITY : (timeSpanMs(maxWait) as number);
    this.#usableBackend();
    return this.#shared.waits.join(backendKey(key), {
      owner: this,
      cost,
      maxWaitMs,
      signal,
      take: () => this.#takeInTurn(key, cost),
      giveBack: () => this.#giveBack(key, cost),
    });
  }

  /**
   * Refuses every call for `key` for `duration`, in seconds or as a string with a unit (`"10m"`), even if tokens are left. `reset` lifts
   * the block. A longer block that is already in place stays as it is.
   * @throws {RateLimitError} INVALID_OPTION if `duration` is not a length of time.
   */
  async block(key: string, duration: Duration): Promise<void> {
    const ms = durationMs(duration);
    if (ms === undefined) throw new RateLimitError("INVALID_OPTION", expected("duration", durationForm, duration, 'pass 60, or "1m"'));
    const { scope } = this.#shared;
    await this.#usableBackend().block(scope, backendKey(key), ms);
    this.#shared.waits.wake(backendKey(key));
    publishBlock({ limiter: this.name, scope, durationMs: ms });
  }

  /** Refills the bucket of `key` and lifts its block. */
  async reset(key: string): Promise<void> {
    await this.#usableBackend().reset(this.#shared.scope, backendKey(key));
    this.#shared.waits.wake(backendKey(key));
  }

  /** Changes the policy of every limiter with this name at once. Each bucket still needs as long to fill as it did before. */
  update(options: PolicySource): void {
    this.#usableBackend();
    const problems = Problems.none(peerOptionHint);
    const given = problems.read("policy", options, updateRules);
    const policy = given && readPolicySource(problems, given, (given["name"] as string | undefined) ?? this.name);
    problems.throwIfAny("INVALID_POLICY");
    setPolicy(this.#shared, policy as Policy);
  }

  /** Closes this limiter: pending waits and later calls reject, and its name can be reused. The backend stays open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#shared.waits.close(this, closed());
    leave(this.backend, this.#shared);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Does what `check` does, without a promise if the backend answers synchronously.
   * @internal
   */
  decide(key: string, cost: number): Awaitable<RateLimitResult> {
    const backend = this.#usableBackend();
    const { scope } = this.#shared;
    if (decisionsAreHeard()) return this.#decideAndPublish(scope, key, cost);
    const reply = backend.take(scope, backendKey(key), checkedCost(cost));
    return isAnswered(reply) ? toResult(scope.policy, reply, cost) : resultLater(scope.policy, reply, cost);
  }

  #decideAndPublish(scope: KeyScope, key: string, cost: number): Awaitable<RateLimitResult> {
    const start = processClock.now();
    const publish = (reply: BackendReply): RateLimitResult => {
      const result = toResult(scope.policy, reply, cost);
      const durationMs = processClock.now() - start;
      const { blockedMs } = reply;
      publishDecision({ limiter: this.name, scope, cost, result, durationMs, ...(blockedMs !== undefined && { blockedMs }) });
      return result;
    };
    const reply = this.backend.take(scope, backendKey(key), checkedCost(cost));
    return isAnswered(reply) ? publish(reply) : Promise.resolve(reply).then(publish);
  }

  async #adjust(key: string, tokens: number, sign: 1 | -1): Promise<{ result: RateLimitResult; reply: BackendReply }> {
    checkedCost(tokens, "tokens");
    const { scope } = this.#shared;
    const reply = await this.#usableBackend().adjust(scope, backendKey(key), sign * tokens);
    this.#shared.waits.wake(backendKey(key));
    return { result: toResult(scope.policy, reply, tokens), reply };
  }

  /** Peeks first if the policy has a block, because a refused attempt by a waiting call must not block the key. */
  async #takeInTurn(key: string, cost: number): Promise<RateLimitResult> {
    if (this.policy.blockMs === 0) return this.decide(key, cost);
    const look = await this.peek(key, { cost });
    return look.allowed ? this.decide(key, cost) : look;
  }

  /** Gives back the tokens of an abandoned wait. Works on a closed limiter too, because closing it abandons its waits. */
  async #giveBack(key: string, tokens: number): Promise<void> {
    await this.backend.adjust(this.#shared.scope, backendKey(key), -tokens);
    this.#shared.waits.wake(backendKey(key));
  }

  #usableBackend(): B {
    if (this.#closed) throw closed();
    return this.backend;
  }
}

/** A separate function, because a closure in `decide` would slow down every call. It turns any thenable into a native promise. */
function resultLater(policy: Policy, answer: Promise<BackendReply>, cost: number): Promise<RateLimitResult> {
  return Promise.resolve(answer).then((reply) => toResult(policy, reply, cost));
}

function closed(): RateLimitError {
  return new RateLimitError("INVALID_OPTION", "This limiter is closed: make a new one, or close it later");
}
