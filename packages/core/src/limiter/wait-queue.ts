import { processClock } from "../clock.ts";
import { RateLimitExceeded } from "../decision/exceeded-error.ts";
import type { RateLimitResult } from "../decision/result.ts";
import type { RateLimitError } from "../errors.ts";
import type { Policy } from "../policy/policy.ts";
import { onRecovery } from "../resilience/recovery.ts";
import { warnOnce } from "../warnings.ts";
import { Waiter, type WaitingCall } from "./waiter.ts";
import { WaitingLine } from "./waiting-line.ts";

/** The longest time between two attempts of the head of a line, in ms. Another process may have given tokens back. */
const lookAgainMs = 1000;

/**
 * Queues the calls that wait for tokens, with one line per key: first come, first served.
 *
 * Only the head of a line asks the backend: when its tokens are due, when something in this process has changed the bucket, and at least
 * once a second. A call that cannot be admitted in time is rejected as soon as that is known, wherever it is in line. The estimate uses
 * the last known state of the bucket and the costs of the calls in front. It does not count on refunds, or on calls in front giving up.
 * During an outage there is no estimate.
 */
export class WaitQueue {
  readonly #lines = new Map<string, WaitingLine>();
  readonly #policyOf: () => Policy;
  #stopListening: (() => void) | undefined;

  constructor(policyOf: () => Policy) {
    this.#policyOf = policyOf;
  }

  /** Resolves when the call is admitted, after all earlier calls for `key`. */
  join(key: string, call: WaitingCall): Promise<RateLimitResult> {
    if (call.signal?.aborted) return Promise.reject(call.signal.reason);
    const waiter = new Waiter(call);
    if (neverFits(this.#policyOf(), call.cost)) void refuse(waiter);
    else this.#enter(key, waiter);
    return waiter.result;
  }

  /** Makes the head of the line ask now, because something in this process has changed the bucket of `key`. */
  wake(key: string): void {
    this.#lines.get(key)?.wake();
  }

  /** Checks all waiting calls against the new policy. */
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

  /** Rejects the waiting calls of one limiter. */
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
    // Deferred, because several calls may leave for one reason, and each would otherwise reach the head and ask the backend for nothing.
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

  /** Asks the backend on behalf of the head of a line until it is admitted or leaves. */
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
      if (line.needsCheck) this.#rejectLate(key, line);
      else if (waiter.deadline < line.earliest(call.cost)) this.#reject(key, line, waiter, waiter.timedOut());
    }
  }

  /** Rejects the calls in a line that cannot be admitted in time. */
  #rejectLate(key: string, line: WaitingLine): void {
    line.needsCheck = line.isWoken;
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

/** Rejects a call that would wait forever, with the state of its bucket. */
async function refuse({ call, admit, reject }: Waiter): Promise<void> {
  try {
    const result = await call.take();
    if (result.allowed) admit(result);
    else reject(new RateLimitExceeded({ ...result, retryAfter: Number.POSITIVE_INFINITY }));
  } catch (error) {
    reject(error);
  }
}

/** Gives back the tokens taken for a call that has left, unless the backend was out and so never took them. */
async function giveBack(call: WaitingCall, { allowed, degraded }: RateLimitResult): Promise<void> {
  if (!allowed || degraded || call.cost === 0) return;
  try {
    await call.giveBack();
  } catch (error) {
    const why = error instanceof Error ? error.message : "not an Error";
    warnOnce("RATELIMIT_REFUND_FAILED", `Could not return the tokens of an abandoned wait: ${why}`);
  }
}
