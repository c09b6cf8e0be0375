import {
  type Awaitable,
  type Backend,
  type BackendReply,
  type KeyScope,
  type LeaseGrant,
  type LeaseRequest,
  leased,
  resilient,
} from "@ratelimit/core/backend";
import { open } from "./clients/own.ts";
import { Connection } from "./connection.ts";
import { classOf } from "./failure.ts";
import { checkBackendOptions, isBy, type RedisBackendOptions } from "./options.ts";
import { SharedClient } from "./shared-client.ts";
import { keyOf, RedisStore } from "./store.ts";

/**
 * Keeps buckets in Redis, so that all processes share one budget. Each bucket is one key, and each call takes one round trip.
 *
 * Connect with a `url`, some nodes of a `cluster`, the `sentinels` and the `name` of the master, or a `client` of your own.
 * A key expires when its bucket is full. Time is measured by Redis, so the clocks of your processes do not matter. The backend
 * closes only a client that it opened itself. It needs Redis 6.2 or Valkey 7.2, or a later version.
 *
 * Every call is decided within `timeout` ("100ms" by default), whatever Redis does. If Redis does not answer in time, `outage` decides
 * (by default "local": this process alone, with its portion as one of `instances`), and the result is `degraded`.
 *
 * @throws {RateLimitError} INVALID_OPTION from the constructor, which lists every problem and never shows a password. BACKEND from a
 * call that Redis does not decide if `outage` is "throw", with its `cause`, and with `keyOnly` if only that key is at fault.
 * @example
 * const backend = new RedisBackend({ url: "redis://localhost:6379" });
 * const limiter = new RateLimiter({ name: "api", rate: 100, period: 60, backend });
 * const { allowed } = await limiter.check("user:123");
 */
export class RedisBackend implements Backend {
  readonly #decided: Backend;

  constructor(options: RedisBackendOptions) {
    checkBackendOptions(options);
    const { timeout, outage, instances, onOutage, denyCache = true } = options;
    const connection = new Connection(isBy(options, "client") ? SharedClient.of(options.client) : SharedClient.owning(open(options)));
    const store = new RedisStore(connection);
    const serverOf = (scope: KeyScope, key: string): string => connection.serverOf(keyOf(scope, key));
    const probe = (scope: KeyScope, server: string): Promise<void> => store.probe(scope, server);
    const lease = (scope: KeyScope, key: string, request: LeaseRequest): Promise<LeaseGrant> => store.lease(scope, key, request);
    const decided = resilient(
      store,
      { timeout, outage, instances, onOutage },
      { classOf, probe, lease, remembersRefusals: denyCache, ...(!connection.isOneServer && { serverOf }) },
    );
    connection.onReady(() => decided.hurry());
    this.#decided = leased(decided);
  }

  take(scope: KeyScope, key: string, cost: number): Awaitable<BackendReply> {
    return this.#decided.take(scope, key, cost);
  }

  adjust(scope: KeyScope, key: string, tokens: number): Awaitable<BackendReply> {
    return this.#decided.adjust(scope, key, tokens);
  }

  block(scope: KeyScope, key: string, ms: number): Awaitable<void> {
    return this.#decided.block(scope, key, ms);
  }

  reset(scope: KeyScope, key: string): Awaitable<void> {
    return this.#decided.reset(scope, key);
  }

  /** Closes the client if the backend opened it, within 2.5 s whatever Redis does. Calling it again does nothing. */
  async close(): Promise<void> {
    await this.#decided.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
