import type { Backend } from "../../backend/backend.ts";
import { warnOnce } from "../../warnings.ts";
import { withCallbacks } from "../callbacks.ts";
import { byAddress, byApiKey, byKey, byUser, type Identify } from "../request/identity.ts";
import type { HttpRequest } from "../request/request.ts";
import { limiterSource } from "./limiter-source.ts";
import { type GuardOptions, guardRules, type LimitByApiKeyOptions, type LimitByUserOptions, type RateLimitOptions } from "./options.ts";
import { compilePipeline, type Guard } from "./pipeline.ts";

/**
 * Compiles options into a guard that limits requests by `key`, or by the client's address.
 *
 * `describe` adapts a framework's request. Without a `backend` option, the buckets are kept in the backend that `defaultBackend` returns,
 * under a key prefix that no other guard uses.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 */
export function createGuard<Req extends object>(
  given: RateLimitOptions<Req, never[]>,
  describe: (req: Req) => HttpRequest,
  defaultBackend?: () => Backend,
): Guard<Req> {
  const options = withCallbacks(given, guardRules.plain);
  const source = limiterSource(options, guardRules.plain, defaultBackend);
  const address = byAddress(addressOptions(options));
  const identify: Identify<Req> = options.key ? byKey(options.key, address) : (_, http) => address(http);
  return compilePipeline(options, { source, identify, describe });
}

/**
 * Compiles options into a guard that limits requests by user. Keys are `user:` plus the id from `options.user`, or else from `userOf`.
 *
 * @throws {RateLimitError} as {@link createGuard} does.
 */
export function createUserGuard<Req extends object>(
  given: LimitByUserOptions<Req, never[]>,
  describe: (req: Req) => HttpRequest,
  userOf: (req: Req) => unknown,
  defaultBackend?: () => Backend,
): Guard<Req> {
  const options = withCallbacks(given, guardRules.user);
  const source = limiterSource(options, guardRules.user, defaultBackend);
  const onAnonymous = anonymous<Req>(
    options,
    "A request has no user and is limited by its address; put authentication before limitByUser, or set the option `anonymous`",
  );
  return compilePipeline(options, {
    source,
    identify: byUser(options.user ?? userOf, onAnonymous),
    describe,
    anonymousMessage: "This request names no user.",
  });
}

/**
 * Compiles options into a guard that limits requests by API key. Keys are `apikey:` plus a digest of the header's value.
 *
 * @throws {RateLimitError} as {@link createGuard} does.
 */
export function createApiKeyGuard<Req extends object>(
  given: LimitByApiKeyOptions<Req, never[]>,
  describe: (req: Req) => HttpRequest,
  defaultBackend?: () => Backend,
): Guard<Req> {
  const options = withCallbacks(given, guardRules.apiKey);
  const source = limiterSource(options, guardRules.apiKey, defaultBackend);
  const identify = byApiKey(options.header ?? "x-api-key", options.valid, anonymous<Req>(options));
  return compilePipeline(options, { source, identify, describe, anonymousMessage: "This request carries no valid API key." });
}

function addressOptions({ trust, ipv6Prefix = 64 }: GuardOptions<never>): { trust: GuardOptions<never>["trust"]; ipv6Prefix: number } {
  return { trust, ipv6Prefix };
}

/** Handles anonymous requests. If `anonymous` is not set, they are limited by address, with one warning per process. */
function anonymous<Req>(options: LimitByUserOptions<Req, never[]>, warning?: string): Identify<Req> {
  const { anonymous: choice } = options;
  if (choice === "skip" || choice === "refuse") return () => choice;
  const address = byAddress(addressOptions(options));
  return (_, http) => {
    if (choice === undefined && warning !== undefined) warnOnce("RATELIMIT_NO_USER", warning);
    return address(http);
  };
}
