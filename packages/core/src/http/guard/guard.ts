import type { Backend } from "../../backend/backend.ts";
import { warnOnce } from "../../warnings.ts";
import { withCallbacks } from "../callbacks.ts";
import { byAddress, byApiKey, byKey, byUser, type Identify } from "../request/identity.ts";
import type { HttpRequest } from "../request/request.ts";
import { limiterSource } from "./limiter-source.ts";
import { type GuardOptions, guardRules, type LimitByApiKeyOptions, type LimitByUserOptions, type RateLimitOptions } from "./options.ts";
import { compilePipeline, type Guard } from "./pipeline.ts";

/**
 * Compiles options into a guard that judges requests by key: the caller's, or the client's address.
 *
 * `describe` says what a framework's request is. Without `backend` the buckets are in the one that `defaultBackend` returns, under a
 * name that no other guard has.
 *
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY that tells every problem at once.
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

/** The same by user: buckets are `user:` and the id that `options.user`, or else the framework's `userOf`, finds. */
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
    "A request has no user and is limited by its address; put authentication before limitByUser, or say anonymous",
  );
  return compilePipeline(options, {
    source,
    identify: byUser(options.user ?? userOf, onAnonymous),
    describe,
    anonymousMessage: "This request names no user.",
  });
}

/** The same by API key: buckets are `apikey:` and the digest of what the header carries. */
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

/** What becomes of a request that names onAnonymous; without a choice it is limited by its address, and that is told once. */
function anonymous<Req>(options: LimitByUserOptions<Req, never[]>, warning?: string): Identify<Req> {
  const { anonymous: choice } = options;
  if (choice === "skip" || choice === "refuse") return () => choice;
  const address = byAddress(addressOptions(options));
  return (_, http) => {
    if (choice === undefined && warning !== undefined) warnOnce("RATELIMIT_NO_USER", warning);
    return address(http);
  };
}
