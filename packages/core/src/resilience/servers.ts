import type { KeyScope } from "../backend/backend.ts";
import { sha256 } from "../backend/key.ts";
import type { RateLimitError } from "../errors.ts";
import type { Time } from "../time.ts";
import { publishBreaker } from "./breaker-state.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { failureOf, reasonOf } from "./failure.ts";
import { concernsServer, type OutageClass, type OutageReporter } from "./outage-reporter.ts";
import { publishRecovery } from "./recovery.ts";
import type { RefusedLimiters } from "./refused-limiters.ts";

/** The state of one server of a backend. */
export interface Server {
  readonly name: string;
  readonly breaker: CircuitBreaker;
  /**
   * The last failed call, if none has been answered in time since. Probes use its scope, because the user may have no access to other keys.
   */
  failed: { readonly scope: KeyScope; readonly error: RateLimitError } | undefined;
}

/** What the servers need from their backend. */
export interface ServersParts {
  readonly time: Time;
  readonly reporter: OutageReporter;
  readonly refused: RefusedLimiters;
  /** Resolves if the server decides a probe in time. */
  readonly probe: (scope: KeyScope, server: string) => Promise<unknown>;
  readonly classOf: (error: unknown) => OutageClass;
}

/** Watches each server of a backend: stops calls to servers that are out, and reports outages and recoveries. */
export class Servers {
  readonly #parts: ServersParts;
  readonly #servers = new Map<string, Server>();
  /** Set during closing, to stop all reports. */
  isSilent = false;

  constructor(parts: ServersParts) {
    this.#parts = parts;
  }

  /** Returns the server with this name. */
  of(name: string): Server {
    const known = this.#servers.get(name);
    if (known !== undefined) return known;
    const id = Symbol(name);
    const breaker = new CircuitBreaker({
      clock: this.#parts.time,
      later: (callback, ms) => {
        const timer = this.#parts.time.later(callback, ms);
        timer.unref();
        return () => timer.cancel();
      },
      probe: () => this.#probe(server),
      onState: (isOpen) => publishBreaker({ breaker: id, server: name, isOpen }),
      onClose: () => {
        server.failed = undefined;
        publishRecovery();
        this.#recovered(false);
      },
    });
    const server: Server = { name, breaker, failed: undefined };
    this.#servers.set(name, server);
    return server;
  }

  /** Counts a call that was answered in time. */
  answered(server: Server, { prefix }: KeyScope): void {
    server.breaker.good();
    if (!this.#parts.refused.isEmpty) this.#parts.refused.served(server.name, prefix);
    if (server.failed === undefined || server.breaker.isOpen) return;
    server.failed = undefined;
    this.#recovered(true);
  }

  /** Counts and reports a call that was sent at `sentAt` and failed; returns its error for the caller. */
  failed(
    server: Server,
    { scope, key }: { scope: KeyScope; key: string },
    error: unknown,
    kind: OutageClass,
    sentAt: number,
  ): RateLimitError {
    const failure = failureOf(error);
    if (concernsServer(kind)) {
      server.failed = { scope, error: failure };
      server.breaker.failed(kind === "timeout" ? "maybe" : "certain", sentAt);
    } else server.breaker.good();
    if (kind !== "limiter") this.#report(kind, failure, kind === "key" ? sha256(scope.prefix + key).slice(0, 16) : undefined);
    else if (!this.isSilent) this.#parts.refused.refused(server.name, scope.prefix, reasonOf(failure));
    return failure;
  }

  /** Probes the servers that are out now instead of later. */
  hurry(): void {
    for (const { breaker } of this.#servers.values()) breaker.hurry();
  }

  /** Stops probing for good. */
  stop(): void {
    for (const { breaker } of this.#servers.values()) breaker.stop();
  }

  async #probe({ name, failed }: Server): Promise<void> {
    if (failed === undefined) return;
    try {
      await this.#parts.probe(failed.scope, name);
    } catch (error) {
      const kind = this.#parts.classOf(error);
      // The server refuses only this probe's limiter, so it still decides for others.
      if (!concernsServer(kind)) return;
      const failure = failureOf(error);
      if (this.#parts.reporter.isNews(reasonOf(failure))) this.#report(kind, failure);
      throw error;
    }
  }

  #report(kind: OutageClass, failure: RateLimitError, keyHash?: string): void {
    if (!this.isSilent) this.#parts.reporter.failed(kind, { reason: reasonOf(failure), ...(keyHash !== undefined && { keyHash }) });
  }

  /** Reports a recovery after a server came back, unless another one is still out. */
  #recovered(passing: boolean): void {
    for (const { breaker } of this.#servers.values()) if (breaker.isOpen) return;
    this.#parts.reporter.recovered(passing);
  }
}
