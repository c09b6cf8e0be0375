import { type Awaitable, type Backend, isPromise, isTake, missingMethods, type Scope, type Take } from "./backend.ts";
import { Breaker, laterUnref } from "./breaker.ts";
import { processClock } from "./clock.ts";
import { Deadlines } from "./deadline.ts";
import { type TimeSpan, timeSpanMs } from "./duration.ts";
import { isRateLimitError, RateLimitError } from "./errors.ts";
import { failureOf, isMistake, reasonOf } from "./failure.ts";
import { sha256 } from "./key.ts";
import { LocalShare } from "./local-share.ts";
import { concernsServer, type Outage, type OutageClass, type OutageEvent, OutageReporter } from "./outage.ts";
import { definePolicy } from "./policy.ts";
import { Problems, type Rules, rule } from "./problems.ts";
import { publishRecovery } from "./recovery.ts";
import { RefusedLimiters } from "./refused-limiters.ts";

/** How long a backend may take, and who decides when it does not answer. */
export interface ResilientOptions {
  /** The longest a decision waits for the backend, with its unit; `"100ms"`. */
  timeout?: TimeSpan | undefined;
  /** Who decides meanwhile: a local bucket, yes, no (503), or nobody (the call rejects with BACKEND); `"local"`. */
  outage?: Outage | undefined;
  /** Processes that share the limits: each gives its share of a local bucket; 1, with which N processes admit N-fold. */
  instances?: number | undefined;
  /** Told of outages, at most once a second and class, and once of each recovery. */
  onOutage?: ((event: OutageEvent) => void) | undefined;
  /** Local buckets that are kept at the most; 100,000. */
  maxKeys?: number | undefined;
}

/** What a backend of several servers knows about itself. */
export interface BackendParts {
  /** The server that keeps a bucket: each has a breaker of its own. */
  serverOf?(scope: Scope, key: string): string;
  /** Whether a server decides again: must write, as a decision does, to a key of short life under the scope's prefix. */
  probe?(scope: Scope, server: string): Awaitable<unknown>;
  /** What a failure was. */
  classOf?(error: unknown): OutageClass;
}

const outages: readonly unknown[] = ["local", "open", "closed", "throw"] satisfies Outage[];

/** The rules of {@link ResilientOptions}, for backends that take them among their own options. */
export const resilientRules: Rules = {
  timeout: {
    expects: "a length of time with its unit",
    accepts: (value) => timeSpanMs(value) !== undefined,
    wayOut: 'write timeout: "100ms" (a bare 100 would be 100 s)',
  },
  outage: { expects: '"local", "open", "closed" or "throw"', accepts: (value) => outages.includes(value) },
  instances: { ...rule.positiveInteger, wayOut: "write how many processes share the limits" },
  onOutage: rule.function,
  maxKeys: rule.positiveInteger,
};

/** The longest that closing may take. */
const closeMs = 2500;

/** The probe's bucket lives for a millisecond; no key of a caller's has this form in a shared store. */
const probeKey = "%probe";
const probePolicy = definePolicy({ rate: 1000, period: 1 });

/**
 * Puts a bound on the time that any backend takes to decide, and another who decides when it does not.
 *
 * A call that is not answered within `timeout` ("100ms") is decided by `outage` ("local"); a backend that is certain to be out, or
 * has not answered for half a second, is left alone until a probe finds it back. Results tell it: `degraded`, `source`.
 *
 * @throws {RateLimitError} INVALID_OPTION that tells every problem at once.
 * @example
 * const backend = resilient(new YourBackend(), { timeout: "50ms", outage: "local", instances: 4 });
 */
export function resilient(backend: Backend, options: ResilientOptions = {}, parts: BackendParts = {}): ResilientBackend {
  const problems = Problems.none();
  const missing = missingMethods(backend);
  if (missing.length > 0) problems.add("backend", `a backend with ${missing.join(", ")}`, backend);
  problems.checkOptions("options", options, resilientRules);
  problems.throwIfAny("INVALID_OPTION");
  return new ResilientBackend(backend, options, parts);
}

/** A backend that always decides in time; made by {@link resilient}. */
export class ResilientBackend implements Backend {
  declare readonly inProcess?: true;
  readonly #backend: Backend;
  readonly #parts: BackendParts;
  readonly #outage: Outage;
  readonly #timeoutMs: number;
  readonly #deadlines: Deadlines;
  readonly #local: LocalShare;
  readonly #reporter: OutageReporter;
  readonly #refused: RefusedLimiters;
  readonly #watches = new Map<string, Watch>();
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(backend: Backend, options: ResilientOptions, parts: BackendParts) {
    const { timeout = "100ms", outage = "local", instances = 1, onOutage, maxKeys = 100_000 } = options;
    if (backend.inProcess) this.inProcess = true;
    this.#backend = backend;
    this.#parts = parts;
    this.#outage = outage;
    this.#timeoutMs = timeSpanMs(timeout) as number;
    this.#deadlines = new Deadlines(this.#timeoutMs);
    this.#local = new LocalShare(instances, maxKeys);
    this.#reporter = new OutageReporter(outage, onOutage);
    this.#refused = new RefusedLimiters(outage, onOutage);
  }

  take(scope: Scope, key: string, cost: number): Awaitable<Take> {
    return this.#inTime<Take>({ method: "take", scope, key, tokens: cost });
  }

  adjust(scope: Scope, key: string, tokens: number): Awaitable<Take> {
    return this.#inTime<Take>({ method: "adjust", scope, key, tokens });
  }

  /** In an outage this process blocks the key alone, unless nobody decides. */
  async block(scope: Scope, key: string, ms: number): Promise<void> {
    await this.#inTime({ method: "block", scope, key, tokens: ms });
  }

  /** What the backend did not confirm rejects in every mode: there is no result that could tell it. */
  async reset(scope: Scope, key: string): Promise<void> {
    await this.#inTime({ method: "reset", scope, key, tokens: 0 });
  }

  /** Closes the backend, and waits for that no longer than 2.5 s; a second call does nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Probes at once what is out: the connection says it is back. */
  hurry(): void {
    for (const { breaker } of this.#watches.values()) breaker.hurry();
  }

  async #close(): Promise<void> {
    for (const { breaker } of this.#watches.values()) breaker.stop();
    this.#local.close();
    await new Deadlines(closeMs).within(
      async () => this.#backend.close(),
      (resolve) => resolve(),
    );
  }

  /** The backend's answer, or what is decided instead, no later than the deadline. */
  #inTime<T>(call: Call): Awaitable<T> {
    const watch = this.#watchOf(call);
    if (watch.breaker.isOpen) return orRejection(() => this.#instead(call, watch.failure as RateLimitError) as T);
    return new Promise((resolve, reject) => {
      const sentAt = processClock.now();
      const failed = (error: unknown, kind: OutageClass): void => {
        try {
          resolve(this.#instead(call, this.#note(call, watch, error, kind, sentAt)) as T);
        } catch (thrown) {
          reject(thrown);
        }
      };
      const waiting = this.#deadlines.start(() => failed(this.#tooLate(), "timeout"));
      const answered = (answer: unknown): void => {
        if (!isAnswer(call, answer)) refused(new RateLimitError("BACKEND", "Expected the backend to answer a call, got something else"));
        else if (this.#deadlines.finish(waiting)) {
          watch.breaker.good();
          if (!this.#refused.isEmpty) this.#refused.served(watch.server, call.scope.prefix);
          this.#remember(call, answer);
          resolve(answer as T);
        }
      };
      const refused = (error: unknown): void => {
        if (!this.#deadlines.finish(waiting)) return;
        if (isMistake(error)) reject(error);
        else failed(error, this.#classOf(error));
      };
      try {
        const answer = ask(this.#backend, call);
        if (isPromise(answer)) answer.then(answered, refused);
        else answered(answer);
      } catch (error) {
        refused(error);
      }
    });
  }

  /** What is decided when the backend does not. */
  #instead(call: Call, failure: RateLimitError): unknown {
    if (call.method === "reset" || this.#outage === "throw") throw failure;
    return this.#outage === "local" ? ask(this.#local, call) : unseen[this.#outage];
  }

  /** Notes what was answered, for the time when the backend cannot be asked. */
  #remember({ method, scope, key, tokens }: Call, answer: unknown): void {
    if (method === "reset") this.#local.reset(scope, key);
    else if (method === "block") this.#local.block(scope, key, tokens);
    else if (this.#outage === "local") this.#local.remember(scope, key, answer as Take);
  }

  /** Tells a failure to the breaker and to whoever listens. */
  #note({ scope, key }: Call, watch: Watch, error: unknown, kind: OutageClass, sentAt: number): RateLimitError {
    const failure = failureOf(error);
    if (concernsServer(kind)) {
      watch.failure = failure;
      watch.scope = scope;
      watch.breaker.failed(kind === "timeout" ? "maybe" : "certain", sentAt);
    } else watch.breaker.good();
    if (kind !== "limiter") this.#report(kind, failure, kind === "key" ? sha256(scope.prefix + key).slice(0, 16) : undefined);
    else if (this.#closing === undefined) this.#refused.refused(watch.server, scope.prefix, reasonOf(failure));
    return failure;
  }

  #classOf(error: unknown): OutageClass {
    return isRateLimitError(error) && error.keyOnly ? "key" : (this.#parts.classOf?.(error) ?? "connection");
  }

  #tooLate(): RateLimitError {
    return new RateLimitError("BACKEND", `No answer within ${this.#timeoutMs} ms`);
  }

  #watchOf({ scope, key }: Call): Watch {
    const server = this.#parts.serverOf?.(scope, key) ?? "";
    const known = this.#watches.get(server);
    if (known !== undefined) return known;
    const breaker = new Breaker({
      clock: processClock,
      later: laterUnref,
      probe: () => this.#probe(watch.scope, server),
      onClose: () => this.#back(),
    });
    const watch: Watch = { server, breaker, scope };
    this.#watches.set(server, watch);
    return watch;
  }

  /** A probe that is late has failed: a backend that answers, but never in time, is out. */
  async #probe(scope: Scope, server: string): Promise<void> {
    const ask = async (): Promise<unknown> =>
      this.#parts.probe ? this.#parts.probe(scope, server) : this.#backend.take({ prefix: scope.prefix, policy: probePolicy }, probeKey, 1);
    const late = this.#tooLate();
    try {
      await this.#deadlines.within(ask, (_, reject) => reject(late));
    } catch (error) {
      const kind = error === late ? "timeout" : this.#classOf(error);
      // The server only refuses this probe's limiter, so it decides for the others.
      if (!concernsServer(kind)) return;
      const failure = failureOf(error);
      if (this.#reporter.isNews(reasonOf(failure))) this.#report(kind, failure);
      throw error;
    }
  }

  #report(kind: OutageClass, failure: RateLimitError, keyHash?: string): void {
    if (this.#closing === undefined) this.#reporter.failed(kind, { reason: reasonOf(failure), ...(keyHash !== undefined && { keyHash }) });
  }

  /** One server is back; the outage is over when all are. */
  #back(): void {
    publishRecovery();
    for (const { breaker } of this.#watches.values()) if (breaker.isOpen) return;
    this.#reporter.recovered();
  }
}

/** One call, of the backend or of who stands in for it. */
interface Call {
  readonly method: "take" | "adjust" | "block" | "reset";
  readonly scope: Scope;
  readonly key: string;
  readonly tokens: number;
}

type Asked = Readonly<Record<Call["method"], (scope: Scope, key: string, tokens: number) => unknown>>;

function ask(asked: Asked, { method, scope, key, tokens }: Call): unknown {
  return asked[method](scope, key, tokens);
}

/** Whether it is what the call asked for; a reset asks for nothing. */
function isAnswer({ method, scope }: Call, answer: unknown): boolean {
  return method === "reset" || method === "block" || isTake(answer, scope.policy);
}

/** What is decided where nobody counts. */
const unseen: Readonly<Record<"open" | "closed", Take>> = {
  open: { allowed: true, used: 0, source: "open" },
  closed: { allowed: false, used: 0, source: "closed" },
};

/** What is known of one server. */
interface Watch {
  readonly server: string;
  readonly breaker: Breaker;
  /** Whose call failed last: a probe may have no right to keys elsewhere. */
  scope: Scope;
  failure?: RateLimitError;
}

/** What is decided, or a promise that rejects: a backend never throws. */
function orRejection<T>(decide: () => T): Awaitable<T> {
  try {
    return decide();
  } catch (error) {
    return Promise.reject(error);
  }
}
