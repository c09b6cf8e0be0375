import { isRateLimitExceeded, type RateLimitExceeded } from "../../decision/exceeded-error.ts";
import { exposedHeaders, type Fields, type HeaderMode, limitNames } from "../../decision/headers.ts";
import { isPlain } from "../../validation.ts";
import type { Exchange } from "../exchange.ts";
import { Decisions, type RequestRateLimit } from "./decisions.ts";
import { type Problem, problemOfResult } from "./problem-details.ts";
import { expose, fieldsIn, refuse as refusalBy, type Verdict } from "./verdict.ts";

/** What happens to a refused request besides the refusal. */
export type OnLimited<Req, Framework extends unknown[]> = (result: RequestRateLimit, req: Req, ...framework: Framework) => unknown;

/** Passes a request on or refuses it. Sets headers unless the response is already on its way. */
export function respond<Req, Framework extends unknown[]>(
  verdict: Verdict,
  req: Req,
  exchange: Exchange<Framework>,
  onLimited: OnLimited<Req, Framework> | undefined,
): unknown {
  exchange.attach(verdict.result);
  if (exchange.isSent) return verdict.kind === "refuse" ? exchange.end?.() : exchange.proceed();
  expose(verdict.exposed, exchange);
  if (verdict.kind === "refuse") return refuse(verdict, req, exchange, onLimited);
  // An earlier limit of the request may have set the fields of a mode that is not used any more.
  if (verdict.result.all.length > 1) for (const name of quotaFields) if (!(name in verdict.headers)) drop(name, exchange);
  for (const name in verdict.headers) exchange.setHeader(name, verdict.headers[name] as string);
  if (verdict.settle) exchange.whenOver(verdict.settle);
  return exchange.proceed();
}

async function refuse<Req, Framework extends unknown[]>(
  { result, problem, headers }: Verdict & { kind: "refuse" },
  req: Req,
  exchange: Exchange<Framework>,
  onLimited: OnLimited<Req, Framework> | undefined,
): Promise<void> {
  beginRefusal(problem, headers, exchange);
  if (onLimited !== undefined) {
    const { framework } = exchange;
    const answer = await onLimited(result, req, ...framework);
    if (exchange.isSent) return;
    if ((isPayload(answer) || exchange.canReply?.(answer)) && !framework.includes(answer)) return exchange.reply(answer);
  }
  sendProblem(problem, exchange);
}

/** Prepares a refusal: its headers, its status, and nothing that belongs to another answer. */
function beginRefusal({ status }: Problem, headers: Fields, exchange: Exchange): void {
  for (const name of bodyFields) drop(name, exchange);
  for (const name of quotaFields) if (!(name in headers)) drop(name, exchange);
  for (const name in headers) exchange.setHeader(name, headers[name] as string);
  exchange.setHeader("Cache-Control", "no-store");
  exchange.refuse(status);
}

/**
 * Answers an error that `enforce`, `wait` or a handler threw like a refusal by a limit, in the header modes that the request's limits use.
 * Returns false if the error is no `RateLimitExceeded`, or if it is too late to answer.
 */
export function answerExceeded(error: unknown, req: object, exchange: Exchange): boolean {
  if (!isRateLimitExceeded(error) || exchange.isSent) return false;
  const decisions = Decisions.of(exchange.carrier ?? req);
  const { result } = error;
  // `onLimited` may have thrown a decision of this request, whose limit already says what to show.
  const own = decisions.all.find(({ limits }) => limits === result.limits);
  const { problem, headers } = own === undefined ? refusalOf(error, decisions) : refusalBy(own, decisions);
  beginRefusal(problem, headers, exchange);
  sendProblem(problem, exchange);
  return true;
}

/** Describes a refusal by a limiter that was called directly, in the header modes that the request's limits use. */
function refusalOf({ result, policy }: RateLimitExceeded, decisions: Decisions): Pick<Verdict & { kind: "refuse" }, "problem" | "headers"> {
  const modes = decisions.all.every(({ isShadow }) => isShadow) ? (["legacy"] as const) : decisions.modes;
  const visible = [...decisions.visible, { result, policy }];
  const isFinal = result.retryAfter === Number.POSITIVE_INFINITY;
  return { problem: problemOfResult(result, limitNames(visible, result)), headers: isFinal ? {} : fieldsIn(modes, visible) };
}

/** Sends problem details as the whole answer. */
function sendProblem({ body }: Problem, exchange: Exchange): void {
  exchange.setHeader("Content-Type", "application/problem+json");
  exchange.setHeader("Content-Length", String(body.length));
  exchange.send(body);
}

/**
 * The fields that describe a body, how it is sent and how long a cache may keep it. Those set for the body that a refusal replaces would
 * be wrong for the refusal's. The caching fields for CDNs (RFC 9213) would outrank its `no-store`.
 */
const bodyFields = [
  ..."Accept-Ranges,CDN-Cache-Control,Cloudflare-CDN-Cache-Control,Content-Digest,Content-Disposition,Content-Encoding".split(","),
  ..."Content-Language,Content-Length,Content-Location,Content-MD5,Content-Range,Content-Type,ETag,Expires,Last-Modified".split(","),
  ..."Repr-Digest,Surrogate-Control,Trailer,Transfer-Encoding,Vercel-CDN-Cache-Control".split(","),
];

/** All fields that describe a quota. A refusal drops those of other modes, and a final refusal drops all. */
const quotaFields = [...new Set((Object.keys(exposedHeaders) as HeaderMode[]).flatMap((mode) => exposedHeaders[mode]))];

/** Checks first, because removing an absent Content-Length makes Node send the body in chunks. */
function drop(name: string, exchange: Exchange): void {
  if (exchange.responseHeader(name) !== undefined) exchange.removeHeader(name);
}

/** Whether `onLimited` returned an answer, and not what its last expression happened to be: a count, or a logger. */
function isPayload(answer: unknown): boolean {
  if (typeof answer === "string") return true;
  if (typeof answer !== "object" || answer === null) return false;
  return Array.isArray(answer) || answer instanceof Uint8Array || isPlain(answer);
}
