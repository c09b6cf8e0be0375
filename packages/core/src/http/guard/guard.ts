import type { Backend } from "../../backend/backend.ts";
import { isPromise } from "../../backend/backend.ts";
import type { HeaderMode } from "../../decision/headers.ts";
import { isDecided } from "../../decision/result.ts";
import type { RateLimiter } from "../../limiter/rate-limiter.ts";
import type { Rules } from "../../validation.ts";
import { type Callback, throwingErrors, withCallbacks } from "../callbacks.ts";
import type { Exchange } from "../exchange.ts";
import { clientFinder } from "../request/client-address.ts";
import { type Identify, identity, isYes, storedKey } from "../request/identity.ts";
import { pathMatcher } from "../request/paths.ts";
import type { HttpRequest } from "../request/request.ts";
import { Decisions } from "../response/decisions.ts";
import { refunding } from "../response/refund.ts";
import { type OnLimited, respond } from "../response/respond.ts";
import { pass, refuse, refuseUnasked, type Verdict } from "../response/verdict.ts";
import { limiterSource } from "./limiter-source.ts";
import type { GuardOptions } from "./options.ts";

/** Limits requests as one call of `rateLimit`, `limitByUser` or `limitByApiKey` asks for. */
export interface Limit<Req, Framework extends unknown[]> {
  /**
   * Passes a request on or refuses it: before it returns, unless a callback or the backend has to be awaited. Resolves with what
   * `proceed` returned. If anything throws, the exchange's `fail` gets the error.
   */
  readonly admit: (req: Req, exchange: Exchange<Framework>) => Promise<unknown>;
  /** The limiter, unless a function picks one per request. */
  readonly limiter: RateLimiter | undefined;
}

/** The parts in which `rateLimit`, `limitByUser` and `limitByApiKey` differ. */
export interface Kind<Req, Options> {
  readonly rules: Rules;
  /** Compiles the way to identify a client. `address` identifies it by its address. */
  identify(options: Options, address: Identify<Req>): Identify<Req>;
  readonly challenge: Challenge;
}

/** The answer to an anonymous request that is refused: the `detail` of the problem, and the scheme that would identify the client. */
interface Challenge {
  readonly detail: string;
  readonly scheme: string;
}

/**
 * Compiles options into a limit, so that requests never look anything up in the options.
 * @throws {RateLimitError} INVALID_OPTION or INVALID_POLICY, with every problem in one error.
 */
export function compileLimit<Req extends object, Framework extends unknown[], Options extends GuardOptions<Req>>(
  given: Options & { readonly onLimited?: OnLimited<Req, Framework> | undefined },
  kind: Kind<Req, Options>,
  defaultBackend?: () => Backend,
  adaptCallback?: (callback: Callback) => Callback,
): Limit<Req, Framework> {
  const options = withCallbacks(given, kind.rules, adaptCallback);
  const source = limiterSource(options, kind.rules, defaultBackend);
  const pick = typeof source === "function" ? source : (): RateLimiter => source;
  const { skip, skipPreflight = false, cost = 1, keySecret, shadow = false, refund, refundAborted = false, onLimited } = options;
  const { exposeHeaders = false } = options;
  const costOf = typeof cost === "function" ? cost : (): number => cost;
  const isExcluded = options.excludePaths === undefined ? undefined : pathMatcher(options.excludePaths);
  const clientOf = clientFinder<Req>(options);
  const isListed = options.allow !== undefined || options.deny !== undefined;
  const identify = kind.identify(options, (req, http) => {
    const client = clientOf(req, http);
    return client.access === "gone" ? "gone" : identity("ip", client.identity);
  });
  const modes = modesOf(options);

  return { admit, limiter: typeof source === "function" ? undefined : source };

  async function admit(req: Req, exchange: Exchange<Framework>): Promise<unknown> {
    try {
      if (isExcluded?.(exchange) || (skipPreflight && isPreflight(exchange))) return await exchange.proceed();
      if (skip !== undefined) {
        const answer = skip(req);
        if (isYes("skip", isPromise(answer) ? await answer : answer)) return await exchange.proceed();
      }
      if (isListed) {
        const { access } = clientOf(req, exchange);
        if (access === "gone" && !shadow) return undefined;
        if (access === "allow") return await exchange.proceed();
        if (access === "deny" && !shadow)
          return await respond(refuseUnasked("denied", "This address is denied."), req, exchange, onLimited);
      }
      const picked = pick(req);
      const limiter = isPromise(picked) ? await picked : picked;
      if (limiter === undefined) return await exchange.proceed();

      const identified = identify(req, exchange);
      const client = isPromise(identified) ? await identified : identified;
      // Nobody is there to answer, and nobody may get past a limit by hanging up before it is checked.
      if (client === "gone" && !shadow) return undefined;
      if (client === "gone" || client === "skip") return await exchange.proceed();
      if (client === "refuse")
        return await (shadow ? exchange.proceed() : respond(refuseAnonymous(kind.challenge, exchange), req, exchange, onLimited));
      const key = storedKey(client, keySecret);

      // A request is charged once per limiter and key, no matter how many guards it passes.
      const decisions = Decisions.of(exchange.carrier ?? req);
      let decision = decisions.find(limiter, key);
      const isNew = decision === undefined;
      if (decision === undefined) {
        const asked = costOf(req);
        const tokens = isPromise(asked) ? await asked : asked;
        const { policy } = limiter;
        const decided = ask(limiter, key, tokens);
        decision = decisions.add(isDecided(decided) ? decided : await decided, { limiter, key, policy, modes, shadow });
      } else decision.show(modes, shadow);

      decisions.areExposed ||= exposeHeaders && !shadow;
      if (!decision.allowed && !shadow) return await respond(refuse(decision, decisions), req, exchange, onLimited);
      const isRefundable = isNew && decision.allowed && decision.limits.length > 0;
      const settle = isRefundable && refund !== undefined ? refunding(decision, req, refund, refundAborted) : undefined;
      const passed = respond(pass(decisions, settle), req, exchange, onLimited);
      return isPromise(passed) ? await passed : passed;
    } catch (error) {
      return exchange.fail(error as Error);
    }
  }
}

const ask = throwingErrors((limiter: RateLimiter, key: string, tokens: number) => limiter.decide(key, tokens));

function refuseAnonymous({ detail, scheme }: Challenge, exchange: Pick<Exchange, "responseHeader">): Verdict {
  const isChallenged = exchange.responseHeader("WWW-Authenticate") !== undefined;
  return refuseUnasked("anonymous", detail, isChallenged ? {} : { "WWW-Authenticate": scheme });
}

function modesOf({ config, headers = config?.headers ?? "legacy" }: GuardOptions<never>): readonly HeaderMode[] {
  return [headers].flat().filter((mode) => mode !== "none");
}

/** Whether this is a CORS preflight, as the Fetch standard defines it. */
function isPreflight(http: HttpRequest): boolean {
  return http.method === "OPTIONS" && http.header("origin") !== undefined && http.header("access-control-request-method") !== undefined;
}
