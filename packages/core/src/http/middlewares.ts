import type { Backend } from "../backend/backend.ts";
import { warnOnce } from "../warnings.ts";
import type { Callback } from "./callbacks.ts";
import type { Exchange } from "./exchange.ts";
import { compileLimit, type Kind, type Limit } from "./guard/guard.ts";
import { guardRules, type LimitByApiKeyOptions, type LimitByUserOptions, type RateLimitOptions } from "./guard/options.ts";
import { type Anonymous, byApiKey, byKey, byUser, type Identify } from "./request/identity.ts";

/** What an adapter says about its framework. */
export interface FrameworkParts<Req extends object, Framework extends unknown[], Middleware> {
  /** Returns the user that the framework's authentication found. */
  userOf(req: Req): unknown;
  /** Returns the backend of limits that name none. Without it, `backend` is required. */
  defaultBackend?(): Backend;
  /** Wraps each function in the options, if it takes other arguments than core passes: the request, and what `onLimited` gets after it. */
  adaptCallback?(callback: Callback): Callback;
  /** Whether limits can be made only while the app is set up. Otherwise, those made while a request is handled cause a warning. */
  readonly declaresLimits?: boolean;
  /** Turns a limit into the framework's middleware, which hands every request to `limit.admit`. */
  middleware(limit: Limit<Req, Framework>): Middleware;
}

/** The three functions of an adapter. Each throws {@link RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error. */
export interface Middlewares<Req extends object, Framework extends unknown[], Middleware> {
  /** Limits requests by the client's address, or by `key`. */
  rateLimit(options: RateLimitOptions<Req, Framework>): Middleware;
  /** Limits requests by user: keys are `user:` plus an id. */
  limitByUser(options: LimitByUserOptions<Req, Framework>): Middleware;
  /** Limits requests by API key: keys are `apikey:` plus a digest of the header's value. */
  limitByApiKey(options: LimitByApiKeyOptions<Req, Framework>): Middleware;
}

/**
 * Builds the three functions of an adapter for a framework.
 * @example
 * const { rateLimit, limitByUser, limitByApiKey } = createMiddlewares<Request, [Response], Handler>({
 *   userOf: (req) => req.user,
 *   defaultBackend: sharedMemoryBackend,
 *   middleware: (limit) => (req, res, next) => void limit.admit(req, new MyExchange(req, res, next)),
 * });
 */
export function createMiddlewares<Req extends object, Framework extends unknown[], Middleware>(
  framework: FrameworkParts<Req, Framework, Middleware>,
): Middlewares<Req, Framework, Middleware> {
  const defaultBackend = framework.defaultBackend?.bind(framework);
  const adaptCallback = framework.adaptCallback?.bind(framework);
  const kinds = kindsOf<Req, Framework>((req) => framework.userOf(req));
  const make = (limit: Limit<Req, Framework>): Middleware => framework.middleware(framework.declaresLimits ? limit : watched(limit));
  return {
    rateLimit: (options) => make(compileLimit(options, kinds.key, defaultBackend, adaptCallback)),
    limitByUser: (options) => make(compileLimit(options, kinds.user, defaultBackend, adaptCallback)),
    limitByApiKey: (options) => make(compileLimit(options, kinds.apiKey, defaultBackend, adaptCallback)),
  };
}

interface Kinds<Req, Framework extends unknown[]> {
  readonly key: Kind<Req, RateLimitOptions<Req, Framework>>;
  readonly user: Kind<Req, LimitByUserOptions<Req, Framework>>;
  readonly apiKey: Kind<Req, LimitByApiKeyOptions<Req, Framework>>;
}

function kindsOf<Req, Framework extends unknown[]>(userOf: (req: Req) => unknown): Kinds<Req, Framework> {
  return {
    key: {
      rules: guardRules.plain,
      identify: ({ key }, address) => (key ? byKey(key, address) : address),
      challenge: { detail: "This request names no client.", scheme: "Bearer" },
    },
    user: {
      rules: guardRules.user,
      identify: ({ user = userOf, anonymous }, address) => byUser(user, onAnonymous(anonymous, address, noUser)),
      challenge: { detail: "This request names no user.", scheme: "Bearer" },
    },
    apiKey: {
      rules: guardRules.apiKey,
      identify: ({ header = "x-api-key", valid, anonymous }, address) => byApiKey(header, valid, onAnonymous(anonymous, address)),
      challenge: { detail: "This request carries no valid API key.", scheme: "ApiKey" },
    },
  };
}

const noUser = "A request has no user and is limited by its address; put authentication before limitByUser, or set the option `anonymous`";

/** Handles anonymous requests. If `anonymous` is not set, they are limited by address, with one warning per process. */
function onAnonymous<Req>(choice: Anonymous | undefined, address: Identify<Req>, warning?: string): Identify<Req> {
  if (choice === "skip" || choice === "refuse") return () => choice;
  if (choice === "address" || warning === undefined) return address;
  return (req, http) => {
    warnOnce("RATELIMIT_NO_USER", warning);
    return address(req, http);
  };
}

/** The places in the user's code that made a limit and used it in the same turn. */
const usedAtOnce = new Set<string>();

/**
 * Warns about limits that are made for a single request: each has a budget of its own, so they never limit. A server takes no request in
 * the turn in which it is set up, so a limit that is used in the turn in which it was made was made by a handler, or by a test. A handler
 * does it again in the same place.
 */
function watched<Req, Framework extends unknown[]>(limit: Limit<Req, Framework>): Limit<Req, Framework> {
  // The lines of a stack: the message, four calls of ours, and the caller of `rateLimit`.
  let place = new Error().stack?.split("\n")[5];
  void Promise.resolve().then(() => {
    place = undefined;
  });
  const watching = {
    limiter: limit.limiter,
    admit(req: Req, exchange: Exchange<Framework>): Promise<unknown> {
      watching.admit = limit.admit;
      if (place !== undefined && usedAtOnce.has(place)) warnOnce("RATELIMIT_MADE_IN_HANDLER", madeInHandler);
      if (place !== undefined) usedAtOnce.add(place);
      return limit.admit(req, exchange);
    },
  };
  return watching;
}

const madeInHandler =
  "A limit was made while a request was handled, so every request gets a budget of its own; call rateLimit once, outside of the handler";
