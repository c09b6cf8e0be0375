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
import { type Duration, durationForm, durationMs, type TimeSpan, timeSpanMs } from "../policy/duration.ts";
import type { Policy } from "../policy/policy.ts";
import { fits } from "../policy/token-bucket.ts";
import { checkOptions, Problems, type Rules, rule } from "../validation.ts";
import { type CostOption, checkedCost, costOf } from "./cost.ts";
import { decisionsAreHeard, publishDecision } from "./diagnostics.ts";
import { join, leave, type SharedScope, setPolicy } from "./scope.ts";

/** How a waiting call may end early. */
export interface WaitOptions extends CostOption {
  /** The longest wait, with its unit: `"5s"`; for ever. */
  maxWait?: TimeSpan | undefined;
  signal?: AbortSignal | undefined;
}

/** The options of `wait`; a cost has a check of its own, with a code of its own. */
const waitRules: Rules = {
  cost: rule.readElsewhere,
  maxWait: {
    expects: "a length of time with its unit",
    accepts: (value) => timeSpanMs(value) !== undefined,
    hint: 'write maxWait: "5s"',
  },
  signal: { expects: "an AbortSignal", accepts: (value) => value instanceof AbortSignal, hint: "write signal: controller.signal" },
};

/** The options of `update`; a `name` is that of the limit. */
const updateRules: Rules = { ...policySourceRules, name: rule.readElsewhere };

/**
 * Decides by a token bucket whether a call may go on: `rate` tokens per `period` (seconds; 60) flow into a bucket of `burst`
 * (`rate`), and a call takes `cost` (1) of them or is refused.
 *
 * A refusal is a value. Keys are non-empty strings, one bucket each. Limiters of one `name` and `keyPrefix` on one
 * backend share their buckets, so a live one of the same name must have the same policy.
 *
 * @throws {RateLimitError} INVALID_POLICY or INVALID_OPTION from the constructor, with every problem at once; later
 * INVALID_KEY and INVALID_COST before the backend is asked, INVALID_OPTION after `close()`, BACKEND when the backend fails.
 * @example
 * const limiter = new RateLimiter({ rate: 100, period: "1m", burst: 150, backend: new MemoryBackend() });
 * const result = await limiter.check("user:123");
 * if (!result.allowed) console.log(`Retry after ${result.retryAfter} seconds`);
 */
export class RateLimiter<B extends Backend = Backend> {
  readonly backend: B;
  /** Which bucket. */
  readonly name: string;
  readonly #share: SharedScope;
  #closed = false;

  constructor(options: RateLimiterOptions<B>) {
    const problems = Problems.none();
    const given = problems.read("options", options, limiterRules);
    const read = given && readLimiterOptions<B>(problems, given);
    problems.throwIfAny("INVALID_OPTION");
    const settings = read as LimiterSettings<B>;
    this.backend = settings.backend;
    this.name = settings.name;
    this.#share = join(settings);
  }

  /** The rule that holds now. */
  get policy(): Policy {
    return this.#share.scope.policy;
  }

  /** Takes `cost` (1) tokens for `key`, or none; a refusal is a value. */
  check(key: string, options?: CostOption): Promise<RateLimitResult> {
    // Not `async`: that would wait three turns more for a promise that is there already.
    try {
      const decided = this.decide(key, costOf(options));
      return isDecided(decided) ? Promise.resolve(decided) : decided;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same without a promise; compiles only for a backend that answers at once. */
  checkSync(this: RateLimiter<SyncBackend>, key: string, options?: CostOption): RateLimitResult {
    const result = this.decide(key, costOf(options));
    if (isDecided(result)) return result;
    result.catch(() => {});
    throw new RateLimitError("INVALID_OPTION", expected("backend", "one that answers at once for checkSync", this.backend, "use check()"));
  }

  /**
   * Takes `cost` (1) tokens, or throws the refusal: `RateLimitExceeded`, which the frameworks answer as a 429.
   * A refusal because the backend is out (`outage: "closed"`) is `RateLimitError` BACKEND, a 503.
   */
  async enforce(key: string, options?: CostOption): Promise<RateLimitResult> {
    const result = await this.decide(key, costOf(options));
    if (result.allowed) return result;
    if (result.source === "closed") throw new RateLimitError("BACKEND", "Nobody decides while the backend is out: retry in a second");
    throw new RateLimitExceeded(result, { key });
  }

  /** The bucket as it stands. Takes nothing; `allowed` and `retryAfter` say whether `cost` (1) would be admitted now. */
  async peek(key: string, options?: CostOption): Promise<RateLimitResult> {
    const cost = checkedCost(costOf(options));
    const { policy } = this.#share.scope;
    const take = await this.#open().take(this.#share.scope, backendKey(key), 0);
    const decided = take.source === "closed" || take.source === "open";
    const allowed = decided
      ? take.allowed
      : take.blockedMs === undefined && policy.limits.every((limit, i) => fits(limit, unitsOf(take, i), neededOf(limit, take, cost)));
    return toResult(policy, { ...take, allowed }, cost);
  }

  /** Gives back `tokens` (1), never beyond a full bucket. */
  async refund(key: string, tokens: number = 1): Promise<RateLimitResult> {
    return (await this.#adjust(key, tokens, -1)).result;
  }

  /**
   * Charges `tokens` after the fact (LLM tokens, bytes), whatever is left, down to a debt of one burst.
   * `uncharged` tells the whole tokens beyond that.
   */
  async charge(key: string, tokens: number): Promise<RateLimitResult & { uncharged: number }> {
    const { result, take } = await this.#adjust(key, tokens, 1);
    return { ...result, uncharged: take.uncharged ?? 0 };
  }

  /**
   * Resolves when `cost` (1) tokens were taken; calls for one key are served in their order within this process.
   *
   * @throws {RateLimitError} WAIT_TIMEOUT when `maxWait` is not enough, the signal's reason when it is aborted,
   * INVALID_OPTION when the limiter is closed meanwhile, and `RateLimitExceeded` when the cost exceeds the burst.
   */
  async wait(key: string, options: WaitOptions = {}): Promise<RateLimitResult> {
    checkOptions("options", options, waitRules);
    const { cost: given = 1, maxWait, signal } = options;
    const cost = checkedCost(given);
    const maxWaitMs = maxWait === undefined ? Number.POSITIVE_INFINITY : (timeSpanMs(maxWait) as number);
    this.#open();
    return this.#share.waits.join(backendKey(key), {
      owner: this,
      cost,
      maxWaitMs,
      signal,
      take: () => this.#takeInTurn(key, cost),
      giveBack: () => this.#giveBack(key, cost),
    });
  }

  /**
   * Refuses every call for `key`, whatever is left, for `duration` from now on: seconds, or a string with a unit (`"10m"`). `reset` lifts
   * the block. A block that lasts longer already stays as it is.
   * @throws {RateLimitError} INVALID_OPTION if `duration` is not a length of time.
   */
  async block(key: string, duration: Duration): Promise<void> {
    const ms = durationMs(duration);
    if (ms === undefined) throw new RateLimitError("INVALID_OPTION", expected("duration", durationForm, duration, 'pass 60, or "1m"'));
    await this.#open().block(this.#share.scope, backendKey(key), ms);
    this.#share.waits.wake(backendKey(key));
  }

  /** Forgets what `key` has used and lifts its block: its bucket is full. */
  async reset(key: string): Promise<void> {
    await this.#open().reset(this.#share.scope, backendKey(key));
    this.#share.waits.wake(backendKey(key));
  }

  /** Changes the policy at once, for every limiter of this name; buckets keep the time they owe. */
  update(options: PolicySource): void {
    this.#open();
    const problems = Problems.none();
    const given = problems.read("policy", options, updateRules);
    const policy = given && readPolicySource(problems, given, (given["name"] as string | undefined) ?? this.name);
    problems.throwIfAny("INVALID_POLICY");
    setPolicy(this.#share, policy as Policy);
  }

  /** Ends this limiter: its waits reject, its name is free, later calls reject. The backend stays open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#share.waits.close(this, closed());
    leave(this.backend, this.#share);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * What `check` does, without a promise where the backend needs none.
   * @internal
   */
  decide(key: string, cost: number): Awaitable<RateLimitResult> {
    const backend = this.#open();
    const { scope } = this.#share;
    if (decisionsAreHeard()) return this.#decideAloud(scope, key, cost);
    const take = backend.take(scope, backendKey(key), checkedCost(cost));
    return isAnswered(take) ? toResult(scope.policy, take, cost) : resultLater(scope.policy, take, cost);
  }

  #decideAloud(scope: KeyScope, key: string, cost: number): Awaitable<RateLimitResult> {
    const start = processClock.now();
    const tell = (take: BackendReply): RateLimitResult => {
      const result = toResult(scope.policy, take, cost);
      publishDecision({ scope, cost, result, durationMs: processClock.now() - start });
      return result;
    };
    const take = this.backend.take(scope, backendKey(key), checkedCost(cost));
    return isAnswered(take) ? tell(take) : Promise.resolve(take).then(tell);
  }

  async #adjust(key: string, tokens: number, sign: 1 | -1): Promise<{ result: RateLimitResult; take: BackendReply }> {
    checkedCost(tokens, "tokens");
    const { scope } = this.#share;
    const take = await this.#open().adjust(scope, backendKey(key), sign * tokens);
    this.#share.waits.wake(backendKey(key));
    return { result: toResult(scope.policy, take, tokens), take };
  }

  /** A policy with a block is looked at first: to wait for one's turn is nothing that a key is blocked for. */
  async #takeInTurn(key: string, cost: number): Promise<RateLimitResult> {
    if (this.policy.blockMs === 0) return this.decide(key, cost);
    const look = await this.peek(key, { cost });
    return look.allowed ? this.decide(key, cost) : look;
  }

  /** Gives back the tokens of a wait that was given up; that may be because this limiter was closed. */
  async #giveBack(key: string, tokens: number): Promise<void> {
    await this.backend.adjust(this.#share.scope, backendKey(key), -tokens);
    this.#share.waits.wake(backendKey(key));
  }

  #open(): B {
    if (this.#closed) throw closed();
    return this.backend;
  }
}

/** Apart, since a closure in `decide` would cost every call its context. Whatever a backend promises by becomes a promise of ours. */
function resultLater(policy: Policy, take: Promise<BackendReply>, cost: number): Promise<RateLimitResult> {
  return Promise.resolve(take).then((take) => toResult(policy, take, cost));
}

function closed(): RateLimitError {
  return new RateLimitError("INVALID_OPTION", "This limiter is closed: make a new one, or close it later");
}
