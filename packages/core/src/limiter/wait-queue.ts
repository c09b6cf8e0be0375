import { processClock } from "../clock.ts";
import { RateLimitExceeded } from "../decision/exceeded-error.ts";
import type { RateLimitResult } from "../decision/result.ts";
import type { RateLimitError } from "../errors.ts";
import type { Policy } from "../policy/policy.ts";
import { onRecovery } from "../resilience/recovery.ts";
import { warnOnce } from "../warnings.ts";
import { Waiter, type WaitingCall } from "./waiter.ts";
import { WaitingLine } from "./waiting-line.ts";

/** The head of a line looks at least this often, in ms: another process may have given tokens back. */
const lookAgainMs = 1000;

/**
 * Keeps the calls that wait for tokens, in one line per key: first come, first served.
 *
 * Only the head of a line asks the backend: when its tokens are due, when something in this process has changed its bucket, and once a
 * second in any case. A call that cannot be admitted in time is rejected as soon as that is known, wherever it stands. What is known
 * comes from the bucket as it was last seen and from the costs of the calls in front. Tokens that somebody may give back, and calls in
 * front that may give up, are not counted on. During an outage nothing is known.
 */
export class WaitQueue {
  readonly #lines = new Map<string, WaitingLine>();
  readonly #policyOf: () => Policy;
  #stopListening: (() => void) | undefined;

  constructor(policyOf: () => Policy) {
    this.#policyOf = policyOf;
  }

  /** Resolves when the call is admitted, after all that came earlier for `key`. */
  join(key: string, call: WaitingCall): Promise<RateLimitResult> {
    if (call.signal?.aborted) return Promise.reject(call.signal.reason);
    const waiter = new Waiter(call);
    if (neverFits(this.#policyOf(), call.cost)) void refuse(waiter);
    else this.#enter(key, waiter);
    return waiter.result;
  }

  /** Has the head of a line look at once: something in this process has changed the bucket of `key`. */
  wake(key: string): void {
    this.#lines.get(key)?.wake();
  }

  /** Holds the new policy against all calls that wait. */
  policyChanged(): void {
    const policy = this.#policyOf();
    for (const [key, line] of this.#lines) {
      for (const waiter of line) {
        if (!neverFits(policy, waiter.call.cost)) continue;
        this.#leave(key, line, waiter);
        void refuse(waiter);
      }
      line.wake();
    }
  }

  /** Rejects the calls of one limiter. */
  close(owner: object, reason: RateLimitError): void {
    for (const [key, line] of this.#lines)
      for (const waiter of line) if (waiter.call.owner === owner) this.#reject(key, line, waiter, reason);
  }

  #enter(key: string, waiter: Waiter): void {
    const line = this.#lines.get(key) ?? new WaitingLine();
    if (waiter.deadline < line.earliest(line.cost + waiter.call.cost)) {
      waiter.reject(waiter.timedOut());
      return;
    }
    this.#lines.set(key, line);
    this.#stopListening ??= onRecovery(() => this.#recovered());
    line.push(waiter);
    waiter.watch((reason) => this.#reject(key, line, waiter, reason));
    this.#serveHead(key, line);
  }

  #leave(key: string, line: WaitingLine, waiter: Waiter): void {
    line.remove(waiter);
    waiter.leave();
    // Later, when all that leave for one reason have left: otherwise each of them would come to the head, and ask in vain.
    if (line.head !== undefined) queueMicrotask(() => this.#serveHead(key, line));
    else this.#drop(key);
  }

  #reject(key: string, line: WaitingLine, waiter: Waiter, reason: unknown): void {
    if (waiter.hasLeft) return;
    this.#leave(key, line, waiter);
    waiter.reject(reason);
  }

  #drop(key: string): void {
    this.#lines.delete(key);
    if (this.#lines.size > 0) return;
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  #recovered(): void {
    for (const line of this.#lines.values()) line.wake();
  }

  #serveHead(key: string, line: WaitingLine): void {
    const { head } = line;
    if (head === undefined || head === line.served) return;
    line.served = head;
    void head.runInAsyncScope(() => this.#serve(key, line, head));
  }

  /** Asks for the head of a line until it is admitted or has left. */
  async #serve(key: string, line: WaitingLine, waiter: Waiter): Promise<void> {
    const { call } = waiter;
    let pauseMs = line.due(call.cost) - processClock.now();
    while (!waiter.hasLeft) {
      if (pauseMs > 0) await waiter.pause(Math.ceil(Math.min(pauseMs, lookAgainMs)));
      if (waiter.hasLeft) return;
      line.isWoken = false;
      const [policy, askedAt] = [this.#policyOf(), processClock.now()];
      try {
        const result = await call.take();
        if (waiter.hasLeft) return await giveBack(call, result);
        line.learn({ policy, result, askedAt, answeredAt: processClock.now() });
        if (result.allowed) {
          this.#leave(key, line, waiter);
          return waiter.admit(result);
        }
        pauseMs = line.isWoken ? 0 : result.retryAfter * 1000;
      } catch (error) {
        return this.#reject(key, line, waiter, error);
      }
      if (line.isUnjudged) this.#judge(key, line);
      else if (waiter.deadline < line.earliest(call.cost)) this.#reject(key, line, waiter, waiter.timedOut());
    }
  }

  /** Rejects the calls of a line that cannot be admitted in time. */
  #judge(key: string, line: WaitingLine): void {
    line.isUnjudged = line.isWoken;
    let tokens = 0;
    for (const waiter of line) {
      const { cost } = waiter.call;
      if (waiter.deadline < line.earliest(tokens + cost)) this.#reject(key, line, waiter, waiter.timedOut());
      else tokens += cost;
    }
  }
}

function neverFits({ limits }: Policy, cost: number): boolean {
  return limits.some(({ burst }) => cost > burst);
}

/** Rejects a call that no wait would help, with the state of its bucket. */
async function refuse({ call, admit, reject }: Waiter): Promise<void> {
  try {
    const result = await call.take();
    if (result.allowed) admit(result);
    else reject(new RateLimitExceeded({ ...result, retryAfter: Number.POSITIVE_INFINITY }));
  } catch (error) {
    reject(error);
  }
}

/** Gives back what was taken for a call that has left, unless the backend was out: it never took those tokens. */
async function giveBack(call: WaitingCall, { allowed, degraded }: RateLimitResult): Promise<void> {
  if (!allowed || degraded || call.cost === 0) return;
  try {
    await call.giveBack();
  } catch (error) {
    const why = error instanceof Error ? error.message : "not an Error";
    warnOnce("RATELIMIT_REFUND_FAILED", `The tokens of a wait that was given up could not be returned: ${why}`);
  }
}
