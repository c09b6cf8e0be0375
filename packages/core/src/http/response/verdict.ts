import type { Awaitable } from "../../backend/backend.ts";
import { exposedHeaders, type Fields, type HeaderMode, headerFields, limitNames, type VisibleDecision } from "../../decision/headers.ts";
import { toResult } from "../../decision/result.ts";
import type { RateLimiter } from "../../limiter/rate-limiter.ts";
import { warnOnce } from "../../warnings.ts";
import type { GuardOptions } from "../guard/options.ts";
import type { HttpRequest } from "../request/request.ts";
import { type Decision, Decisions, type RequestRateLimit } from "./decisions.ts";
import { problemBody } from "./problem-details.ts";

/** What happens to a request. An adapter only sets `headers` and, for a refusal, responds with `status` and `body`. */
export type Verdict =
  | { readonly kind: "skip" }
  | {
      readonly kind: "pass";
      readonly headers: Fields;
      readonly result: RequestRateLimit;
      /** Call this once after the response, with its status, or with {@link clientClosed} if it was not sent completely. */
      readonly settle?: (status: number) => Awaitable<void>;
    }
  | {
      readonly kind: "refuse";
      readonly status: 429 | 503;
      readonly headers: Fields;
      readonly body: string;
      readonly result: RequestRateLimit;
    };

/** The status reported for a response whose client hung up before it was sent completely. */
export const clientClosed = 499;

export const skipped: Verdict = { kind: "skip" };

/** Compiles options into a function that turns decisions into verdicts. */
export function compileVerdicts<Req extends object>(
  options: GuardOptions<Req>,
): {
  /** Returns the verdict on a decision. Pass `req` only when the decision is new, so that it is refunded at most once. */
  on(decision: Decision, decisions: Decisions, http: HttpRequest, req?: Req): Verdict;
} {
  const { shadow = false, exposeHeaders = false, refund, config, headers = config?.headers ?? "legacy" } = options;
  const modes: readonly HeaderMode[] = shadow ? [] : [headers].flat();
  const exposed = exposeHeaders ? [...new Set(modes.flatMap((mode) => exposedHeaders[mode]))] : [];
  const written = options.onLimited !== undefined;

  return {
    on(decision, decisions, http, req) {
      const headers = fieldsOf(modes, decisions.visible);
      if (exposed.length > 0) headers[exposeField] = exposure(exposed, http);
      const { result: made } = decision;
      if (!made.allowed && !shadow) return refusal(decision, decisions, headers, written);
      const result = decisions.carried;
      if (refund === undefined || req === undefined || !made.allowed || made.limits.length === 0) return { kind: "pass", headers, result };
      return { kind: "pass", headers, result, settle: (status) => settle(decision, () => refund(req, status)) };
    },
  };
}

/** Refuses an anonymous request. Nothing is charged, and waiting would not help, so `retryAfter` is `Infinity`. */
export function rejectAnonymous(limiter: RateLimiter, detail: string): Verdict {
  const { policy } = limiter;
  const full = policy.limits.map((limit) => limit.capacityUnits);
  const result = { ...toResult(policy, { allowed: false, used: full }, 0), retryAfter: Number.POSITIVE_INFINITY, limits: [] };
  const decisions = new Decisions();
  const decision: Decision = { limiter, key: "nobody", policy, result, isVisible: false };
  decisions.add(decision);
  return refusal(decision, decisions, {}, false, detail);
}

function refusal({ result: made }: Decision, decisions: Decisions, headers: Fields, written: boolean, detail?: string): Verdict {
  const { carried: result, visible } = decisions;
  const { status, body } = problemBody(made, limitNames(visible, made), detail);
  headers["Cache-Control"] = "no-store";
  if (!written) {
    headers["Content-Type"] = "application/problem+json";
    headers["Content-Length"] = String(body.length);
  }
  return { kind: "refuse", status, headers, body, result };
}

/** Returns a new object for every verdict, because the caller adds headers to it. */
function fieldsOf(modes: readonly HeaderMode[], visible: readonly VisibleDecision[]): Fields {
  const [mode = "none", ...others] = modes;
  const fields = headerFields[mode](visible);
  for (const other of others) Object.assign(fields, headerFields[other](visible));
  return fields;
}

const exposeField = "Access-Control-Expose-Headers";

function exposure(names: readonly string[], http: HttpRequest): string {
  const before =
    http
      .responseHeader(exposeField)
      ?.split(",")
      .map((name) => name.trim()) ?? [];
  const lower = new Set(before.map((name) => name.toLowerCase()));
  return [...before, ...names.filter((name) => !lower.has(name.toLowerCase()))].join(", ");
}

/** Refunds after the response. No caller is left to catch an error, so a failure becomes a warning. */
async function settle({ limiter, key, result }: Decision, refund: () => Awaitable<boolean | number>): Promise<void> {
  try {
    const back = await refund();
    const tokens = back === true ? result.cost : Number(back);
    if (tokens !== 0) await limiter.refund(key, tokens);
  } catch (error) {
    warnOnce("RATELIMIT_REFUND_FAILED", `A refund after the response failed: ${error instanceof Error ? error.message : "not an Error"}`);
  }
}
