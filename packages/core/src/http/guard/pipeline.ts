import type { Awaitable } from "../../backend/backend.ts";
import type { RateLimitResult } from "../../decision/result.ts";
import { RateLimitError } from "../../errors.ts";
import type { RateLimiter } from "../../limiter/rate-limiter.ts";
import { expected } from "../../messages.ts";
import type { Policy } from "../../policy/policy.ts";
import { type Identify, type Identity, storedKey } from "../request/identity.ts";
import { pathMatcher } from "../request/paths.ts";
import type { HttpRequest } from "../request/request.ts";
import { type Decision, Decisions } from "../response/decisions.ts";
import { compileVerdicts, rejectAnonymous, skipped, type Verdict } from "../response/verdict.ts";
import { thenMaybe } from "../then-maybe.ts";
import type { LimiterSource } from "./limiter-source.ts";
import { type GuardOptions, isLimiter } from "./options.ts";

/** Decides about a request. Returns a promise only if its limiter, its backend or one of its callbacks does. */
export type Guard<Req> = (req: Req) => Awaitable<Verdict>;

/** The parts in which the three guards differ. */
interface Parts<Req> {
  readonly source: LimiterSource<Req>;
  readonly identify: Identify<Req>;
  readonly describe: (req: Req) => HttpRequest;
  /** The `detail` sent with the refusal of an anonymous request. */
  readonly anonymousMessage?: string;
}

/** Carries a request and its intermediate results through the steps of a guard. A single object replaces one closure per step. */
class RequestContext<Req extends object> {
  readonly req: Req;
  readonly http: HttpRequest;
  limiter!: RateLimiter;
  decisions!: Decisions;
  key!: string;
  /** The policy at the time of the decision; `update` may replace the limiter's policy meanwhile. */
  policy!: Policy;

  constructor(req: Req, http: HttpRequest) {
    this.req = req;
    this.http = http;
  }
}

/** Compiles validated options into a guard, so that requests never look anything up in the options. */
export function compilePipeline<Req extends object>(options: GuardOptions<Req>, parts: Parts<Req>): Guard<Req> {
  const { source, identify, describe, anonymousMessage = "" } = parts;
  const { skip, skipPreflight = false, cost = 1, keySecret, shadow = false } = options;
  const excluded = pathMatcher(options.excludePaths ?? []);
  const pick = typeof source === "function" ? source : (): RateLimiter => source;
  const costOf = typeof cost === "function" ? cost : (): number => cost;
  const verdicts = compileVerdicts(options);

  return function guard(req) {
    const http = describe(req);
    if (excluded(http) || (skipPreflight && isPreflight(http))) return skipped;
    const ctx = new RequestContext(req, http);
    return skip === undefined ? choose(false, ctx) : thenMaybe(skip(req), choose, ctx);
  };

  function choose(skips: boolean, ctx: RequestContext<Req>): Awaitable<Verdict> {
    return skips === true ? skipped : thenMaybe(pick(ctx.req), name, ctx);
  }

  function name(limiter: RateLimiter | undefined, ctx: RequestContext<Req>): Awaitable<Verdict> {
    if (limiter === undefined) return skipped;
    if (!isLimiter(limiter)) throw new RateLimitError("INVALID_OPTION", expected("limiter", "a RateLimiter or undefined", limiter));
    ctx.limiter = limiter;
    return thenMaybe(identify(ctx.req, ctx.http), charge, ctx);
  }

  /** Charges a request once per limiter and key, no matter how many guards it passes. */
  function charge(identity: Identity | "skip" | "refuse", ctx: RequestContext<Req>): Awaitable<Verdict> {
    if (identity === "skip") return skipped;
    if (identity === "refuse") return rejectAnonymous(ctx.limiter, anonymousMessage);
    ctx.key = storedKey(identity, keySecret);
    ctx.decisions = Decisions.of(ctx.http.carrier ?? ctx.req);
    const known = ctx.decisions.find(ctx.limiter, ctx.key);
    if (known === undefined) return thenMaybe(costOf(ctx.req), decide, ctx);
    return verdicts.on(known.isVisible || shadow ? known : ctx.decisions.reveal(known), ctx.decisions, ctx.http);
  }

  function decide(cost: number, ctx: RequestContext<Req>): Awaitable<Verdict> {
    ctx.policy = ctx.limiter.policy;
    return thenMaybe(ctx.limiter.decide(ctx.key, cost), conclude, ctx);
  }

  function conclude(result: RateLimitResult, { req, http, limiter, decisions, key, policy }: RequestContext<Req>): Verdict {
    const decision: Decision = { limiter, key, policy, result, name: limiter.name, isVisible: !shadow };
    decisions.add(decision);
    return verdicts.on(decision, decisions, http, req);
  }
}

/** Whether this is a CORS preflight, as the Fetch standard defines it. */
function isPreflight(http: HttpRequest): boolean {
  return http.method === "OPTIONS" && http.header("origin") !== undefined && http.header("access-control-request-method") !== undefined;
}
