import type { Awaitable } from "../backend.ts";
import { RateLimitError } from "../errors.ts";
import type { RateLimiter } from "../limiter.ts";
import { expected } from "../message.ts";
import { andThen } from "./and-then.ts";
import { type Decision, Decisions } from "./decisions.ts";
import { type Identify, storedKey } from "./identity.ts";
import type { LimiterSource } from "./limiter-source.ts";
import { type GuardOptions, isLimiter } from "./options.ts";
import { pathMatcher } from "./paths.ts";
import type { HttpRequest } from "./request.ts";
import { compileVerdicts, skipped, turnedAway, type Verdict } from "./verdict.ts";

/** Judges requests. Answers at once where its limiter, its backend and its options do. */
export type Guard<Req> = (req: Req) => Awaitable<Verdict>;

/** What tells the three guards apart. */
interface Parts<Req> {
  readonly source: LimiterSource<Req>;
  readonly identify: Identify<Req>;
  readonly describe: (req: Req) => HttpRequest;
  /** What a request is told that names nobody and is turned away for it. */
  readonly nameless?: string;
}

/** Options that were checked become a function of the request; nothing is looked up in them any more. */
export function compileJudge<Req extends object>(options: GuardOptions<Req>, parts: Parts<Req>): Guard<Req> {
  const { source, identify, describe, nameless = "" } = parts;
  const { skip, skipPreflight = false, cost = 1, keySecret, shadow = false } = options;
  const excluded = pathMatcher(options.excludePaths ?? []);
  const pick = typeof source === "function" ? source : (): RateLimiter => source;
  const costOf = typeof cost === "function" ? cost : (): number => cost;
  const verdicts = compileVerdicts(options);

  return function guard(req) {
    const http = describe(req);
    if (excluded(http) || (skipPreflight && isPreflight(http))) return skipped;
    if (skip === undefined) return chooseLimiter(req, http);
    return andThen(skip(req), (skips) => (skips === true ? skipped : chooseLimiter(req, http)));
  };

  function chooseLimiter(req: Req, http: HttpRequest): Awaitable<Verdict> {
    return andThen(pick(req), (limiter) => {
      if (limiter === undefined) return skipped;
      if (!isLimiter(limiter)) throw new RateLimitError("INVALID_OPTION", expected("limiter", "a RateLimiter or undefined", limiter));
      return andThen(identify(req, http), (identity) => {
        if (identity === "skip") return skipped;
        if (identity === "refuse") return turnedAway(limiter, nameless);
        return charge(req, http, limiter, storedKey(identity, keySecret));
      });
    });
  }

  /** One request is charged once per limiter and key, however many guards ask. */
  function charge(req: Req, http: HttpRequest, limiter: RateLimiter, key: string): Awaitable<Verdict> {
    const decisions = Decisions.of(http.carrier ?? req);
    const known = decisions.find(limiter, key);
    if (known !== undefined) return verdicts.on(known.told || shadow ? known : decisions.tell(known), decisions, http);
    return andThen(costOf(req), (cost) => {
      const { policy, name } = limiter;
      return andThen(limiter.decide(key, cost), (result) => {
        const decision: Decision = { limiter, key, policy, result, name, told: !shadow };
        decisions.add(decision);
        return verdicts.on(decision, decisions, http, req);
      });
    });
  }
}

/** A browser's question before a request of another origin (Fetch, CORS preflight). */
function isPreflight(http: HttpRequest): boolean {
  return http.method === "OPTIONS" && http.header("origin") !== undefined && http.header("access-control-request-method") !== undefined;
}
