import { type Awaitable, type Backend, type BackendReply, isPromise, isTake, type KeyScope } from "../backend/backend.ts";
import { isLeaseGrant, type LeaseGrant, type LeaseRequest } from "../backend/lease.ts";
import { isRateLimitError, RateLimitError } from "../errors.ts";
import { timeSpanMs } from "../policy/duration.ts";
import { definePolicy } from "../policy/policy.ts";
import { processTime, type Time } from "../time.ts";
import { Deadlines } from "./deadlines.ts";
import { failureOf, isMistake } from "./failure.ts";
import { LastSeen } from "./last-seen.ts";
import { LocalFallback } from "./local-fallback.ts";
import { type OutageClass, type OutageMode, OutageReporter } from "./outage-reporter.ts";
import { Pace } from "./pace.ts";
import { RefusedLimiters } from "./refused-limiters.ts";
import type { BackendParts, ResilientOptions } from "./resilient-options.ts";
import { type Server, Servers } from "./servers.ts";

/** The longest that closing may take, and the part of it during which earlier calls may still be answered, in ms. */
const [closeMs, lastCallsMs] = [2450, 900];

/** The probe's bucket lives for one millisecond. No caller's key has this form in a shared store. */
const probeKey = "%probe";
const probePolicy = definePolicy({ rate: 1000, period: 1 });

/** A backend that always decides in time. Create one with `resilient`. */
export class ResilientBackend implements Backend {
  declare readonly inProcess?: true;
  readonly #backend: Backend;
  readonly #parts: BackendParts;
  readonly #time: Time;
  readonly #outage: OutageMode;
  /** The longest that a decision may wait for the backend, in ms. */
  readonly timeoutMs: number;
  readonly #deadlines: Deadlines;
  readonly #pace: Pace;
  readonly #seen: LastSeen;
  readonly #local: LocalFallback;
  readonly #servers: Servers;
  readonly #lateProbe: RateLimitError;
  #undecided = 0;
  #onAllDecided: () => void = () => {};
  #closing: Promise<void> | undefined;
  /** Whether closing has reached the point where no call may wait for the backend anymore. */
  #isGivingUp = false;

  /** @internal */
  constructor(backend: Backend, options: ResilientOptions, parts: BackendParts) {
    const { timeout = "100ms", outage = "local", instances = 1, onOutage, maxKeys = 100_000 } = options;
    if (backend.inProcess) this.inProcess = true;
    this.#backend = backend;
    this.#parts = parts;
    this.#time = parts.time ?? processTime;
    this.#outage = outage;
    this.timeoutMs = timeSpanMs(timeout) as number;
    this.#lateProbe = this.#tooLate();
    this.#deadlines = new Deadlines(this.timeoutMs, this.#time);
    this.#pace = new Pace(this.#time);
    this.#seen = new LastSeen(maxKeys, { states: outage === "local", refusals: parts.remembersRefusals ?? false }, parts.time);
    this.#local = new LocalFallback(instances, this.#seen);
    this.#servers = new Servers({
      time: this.#time,
      reporter: new OutageReporter(outage, onOutage, this.#time),
      refused: new RefusedLimiters(outage, onOutage, this.#time),
      probe: (scope, server) => this.#probe(scope, server),
      classOf: (error) => this.#classOf(error),
    });
  }

  take(scope: KeyScope, key: string, cost: number): Awaitable<BackendReply> {
    return this.#decide<BackendReply>({ method: "take", scope, key, tokens: cost });
  }

  adjust(scope: KeyScope, key: string, tokens: number): Awaitable<BackendReply> {
    return this.#decide<BackendReply>({ method: "adjust", scope, key, tokens });
  }

  /** Blocks a key. In an outage only this process blocks it, and only in the mode `"local"`; `"throw"` rejects. */
  async block(scope: KeyScope, key: string, ms: number): Promise<void> {
    await this.#decide({ method: "block", scope, key, tokens: ms });
  }

  /** Resets a key. In every outage mode it rejects if the backend did not confirm it, because it has no result to report that. */
  async reset(scope: KeyScope, key: string): Promise<void> {
    await this.#decide({ method: "reset", scope, key, tokens: 0 });
  }

  /** Asks for tokens in advance. In every outage mode it rejects if the backend did not grant them in time, or cannot. */
  lease(scope: KeyScope, key: string, request: LeaseRequest): Awaitable<LeaseGrant> {
    return this.#decide<LeaseGrant>({ method: "lease", scope, key, tokens: request.tokens, request });
  }

  /**
   * Decides a call as in an outage, because something that it depended on has failed.
   * @throws {RateLimitError} BACKEND if nothing can decide it.
   */
  withoutBackend(call: Call, error?: unknown): unknown {
    return this.#decideAlone(call, error === undefined ? this.#tooLate() : failureOf(error));
  }

  /** Decides all pending calls, then closes the backend, within 2.5 s in total. A second call does nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Probes the servers that are out, because the connection is back. */
  hurry(): void {
    this.#servers.hurry();
  }

  async #close(): Promise<void> {
    const start = this.#time.now();
    this.#servers.isSilent = true;
    if (this.#undecided > 0) await this.#decideAll();
    this.#servers.stop();
    this.#seen.close();
    await new Deadlines(closeMs - (this.#time.now() - start), this.#time).within(
      async () => this.#backend.close(),
      (resolve) => resolve(),
    );
  }

  /** Resolves when every call is decided: by the backend within 900 ms, otherwise as in an outage. */
  async #decideAll(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#time.later(() => {
        this.#isGivingUp = true;
        this.#pace.startAll();
        this.#deadlines.giveUpAll();
      }, lastCallsMs);
      this.#onAllDecided = (): void => {
        timer.cancel();
        resolve();
      };
    });
  }

  #decided(): void {
    this.#undecided--;
    if (this.#undecided === 0) this.#onAllDecided();
  }

  /** Decides a call, in a later turn of the event loop if this turn has started enough of them. */
  #decide<T>(call: Call | LeaseCall): Awaitable<T> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    if (!this.#pace.isBehind) return this.#start<T>(call);
    this.#undecided++;
    return new Promise((resolve) =>
      this.#pace.wait(() => {
        resolve(this.#start(call));
        this.#decided();
      }),
    );
  }

  #start<T>(call: Call | LeaseCall): Awaitable<T> {
    const { method, scope, key, tokens } = call;
    const refusal = method === "take" && tokens > 0 ? this.#seen.refusal(scope, key, tokens) : undefined;
    if (refusal !== undefined) return refusal as T;
    const server = this.#servers.of(this.#parts.serverOf?.(scope, key) ?? "");
    if (server.breaker.isOpen || this.#isGivingUp) return orRejection(() => this.#decideAlone(call, server.failed?.error) as T);
    this.#pace.count();
    this.#undecided++;
    return new Promise((resolve, reject) => this.#inTime(call, server, resolve as (answer: unknown) => void, reject));
  }

  /** Settles with the backend's answer, or at the deadline with a decision made without it. */
  #inTime(call: Call | LeaseCall, server: Server, resolve: (answer: unknown) => void, reject: (reason: unknown) => void): void {
    const { method, scope, key, tokens } = call;
    const sentAt = this.#time.now();
    const ticket = this.#seen.enter(scope, key);
    const settle = (decide: () => unknown): void => {
      this.#seen.leave(ticket);
      try {
        resolve(decide());
      } catch (error) {
        reject(error);
      }
      this.#decided();
    };
    const failed = (error: unknown, kind: OutageClass): void =>
      settle(() => this.#decideAlone(call, this.#servers.failed(server, call, error, kind, sentAt)));
    const deadline = this.#deadlines.start(() => failed(this.#tooLate(), "timeout"));
    const refused = (error: unknown): void => {
      if (!this.#deadlines.finish(deadline)) return;
      if (isMistake(error)) settle(() => Promise.reject(error));
      else failed(error, this.#classOf(error));
    };
    const answered = (answer: unknown): void => {
      if (!isAnswer(call, answer)) refused(new RateLimitError("BACKEND", "Expected the backend to return a decision, got something else"));
      else if (this.#deadlines.finish(deadline)) {
        this.#servers.answered(server, scope);
        this.#note(call, answer, ticket, sentAt);
        settle(() => answer);
      }
    };
    try {
      const answer: unknown =
        method === "lease" ? this.#parts.lease?.(scope, key, call.request) : this.#backend[method](scope, key, tokens);
      if (isPromise(answer)) answer.then(answered, refused);
      else answered(answer);
    } catch (error) {
      refused(error);
    }
  }

  /** Decides a call without the backend. */
  #decideAlone({ method, scope, key, tokens }: Call | LeaseCall, failure: RateLimitError = this.#tooLate()): unknown {
    // The backend may still have carried out the call.
    if (method !== "take") this.#seen.doubt(scope, key);
    if (method === "reset" || method === "lease" || this.#outage === "throw") throw failure;
    return this.#outage === "local" ? this.#local[method](scope, key, tokens) : uncounted[this.#outage];
  }

  /** Remembers the backend's answer. */
  #note({ method, scope, key, tokens }: Call | LeaseCall, answer: unknown, ticket: number, sentAt: number): void {
    if (method === "take") this.#seen.took(ticket, scope, key, tokens, answer as BackendReply, sentAt);
    else if (method === "adjust") this.#seen.adjusted(ticket, scope, key, tokens, answer as BackendReply);
    else if (method === "lease") this.#seen.adjusted(ticket, scope, key, 0, stateAfter(scope, answer as LeaseGrant));
    else if (method === "block") this.#seen.blocked(ticket, scope, key, tokens);
    else this.#seen.wasReset(ticket, scope, key);
  }

  #classOf(error: unknown): OutageClass {
    if (error === this.#lateProbe) return "timeout";
    return isRateLimitError(error) && error.keyOnly ? "key" : (this.#parts.classOf?.(error) ?? "connection");
  }

  #tooLate(): RateLimitError {
    return new RateLimitError("BACKEND", `No answer within ${this.timeoutMs} ms`);
  }

  /** Probes a server. A late answer is a failure, because a backend that never answers in time is out. */
  #probe(scope: KeyScope, server: string): Promise<unknown> {
    const ask = async (): Promise<unknown> =>
      this.#parts.probe ? this.#parts.probe(scope, server) : this.#backend.take({ prefix: scope.prefix, policy: probePolicy }, probeKey, 1);
    return this.#deadlines.within(ask, (_, reject) => reject(this.#lateProbe));
  }
}

/** A request for tokens in advance. */
interface LeaseCall {
  readonly method: "lease";
  readonly scope: KeyScope;
  readonly key: string;
  readonly tokens: number;
  readonly request: LeaseRequest;
}

/** One call to the backend or its fallback. */
export interface Call {
  readonly method: "take" | "adjust" | "block" | "reset";
  readonly scope: KeyScope;
  readonly key: string;
  readonly tokens: number;
}

/** Whether an answer is valid for the call. A block or a reset needs no particular answer. */
function isAnswer({ method, scope }: Call | LeaseCall, answer: unknown): boolean {
  if (method === "lease") return isLeaseGrant(answer, scope.policy.limits.length);
  return method === "reset" || method === "block" || isTake(answer, scope.policy);
}

/** Returns the state of a bucket after a grant, with everything that was granted in use. */
function stateAfter({ policy }: KeyScope, { tokens, used, blockedMs }: LeaseGrant): BackendReply {
  const units = policy.limits.map(({ unitsPerToken }, i) => (used[i] as number) + tokens * unitsPerToken);
  return { allowed: true, used: units.length === 1 ? (units[0] as number) : units, ...(blockedMs > 0 && { blockedMs }) };
}

/** The replies of the outage modes that do not count. */
const uncounted: Readonly<Record<"open" | "closed", BackendReply>> = {
  open: { allowed: true, used: 0, source: "open" },
  closed: { allowed: false, used: 0, source: "closed" },
};

/** Returns what `decide` returns, or a rejected promise if it throws: a backend must never throw. */
function orRejection<T>(decide: () => T): Awaitable<T> {
  try {
    return decide();
  } catch (error) {
    return Promise.reject(error);
  }
}

function closed(): RateLimitError {
  return new RateLimitError("INVALID_OPTION", "This backend is closed: make a new one, or close it later");
}
