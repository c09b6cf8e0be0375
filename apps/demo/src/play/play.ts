import type { IncomingMessage, RequestListener } from "node:http";
import type { Backend, PolicyOptions, RateLimitResult } from "@ratelimit/core";
import type { RateLimitOptions } from "@ratelimit/core/http";
import type { Decision } from "./decision.ts";

/** The number of processes that the page runs. While Redis is out, each grants its share of a limit. */
export const playProcesses = 2;

/** The options that the adapters have in common. */
type PlayOptions<Req> = Pick<
  RateLimitOptions<Req>,
  "backend" | "cost" | "exposeHeaders" | "headers" | "key" | "keyPrefix" | "limiter" | "name"
>;

/**
 * The limit of `/play`: its policy, its cost and its client come from the query of each request.
 *
 * A TOY: a real server never lets a client choose its own limit, its own cost or its own key.
 */
export function playOptions<Req>(backend: Backend, keyPrefix: string, raw: (req: Req) => IncomingMessage): PlayOptions<Req> {
  return {
    name: "play",
    backend,
    keyPrefix,
    limiter: (req) => policyIn(queryOf(raw(req))),
    key: (req) => queryOf(raw(req)).get("client"),
    cost: (req) => Number(queryOf(raw(req)).get("cost") ?? 1),
    headers: ["legacy", "draft-8"],
    exposeHeaders: true,
  };
}

function queryOf({ url = "" }: IncomingMessage): URLSearchParams {
  return new URL(url, "http://localhost").searchParams;
}

function policyIn(query: URLSearchParams): PolicyOptions {
  const block = query.get("block");
  return {
    rate: Number(query.get("rate")),
    period: query.get("period") ?? "60s",
    burst: Number(query.get("burst")),
    ...(block !== null && { block }),
  };
}

const decisionHeader = "Demo-Decision";

/** Lets the page, which has another origin, read the responses. They are the same for everyone, so any page may. */
export const readableByPages: Readonly<Record<string, string>> = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": decisionHeader,
};

const arrivals = new WeakMap<IncomingMessage, number>();

/** Notes when each request arrived, so that its decision can be timed. */
export function timed(listener: RequestListener): RequestListener {
  return (req, res) => {
    arrivals.set(req, performance.now());
    listener(req, res);
  };
}

/** The header that shows the page what the other headers do not say: who decided, how fast, and the exact state of the bucket. */
export function decisionField(req: IncomingMessage, result: RateLimitResult): [name: string, value: string] {
  const { allowed, source, remaining, retryAfter, limits } = result;
  const now = performance.now();
  const decision: Decision = {
    allowed,
    source,
    remaining,
    retryMs: retryAfter === Number.POSITIVE_INFINITY ? null : Math.round(retryAfter * 1000),
    used: limits[0]?.used ?? 0,
    tookMs: Math.round((now - (arrivals.get(req) ?? now)) * 100) / 100,
    at: performance.timeOrigin + now,
    pid: process.pid,
  };
  return [decisionHeader, JSON.stringify(decision)];
}
