import { answerExceeded } from "@ratelimit/core/adapter";
import type { FastifyInstance } from "fastify";
import { FastifyExchange, type Next } from "./exchange.ts";

/** Nothing follows an error. */
const nothingNext: Next = { proceed: () => {}, fail: () => {} };

/**
 * Makes Fastify's own error handling answer a `RateLimitExceeded` like a refusal by a limit. An error handler of the app comes first: the
 * hook sees an error only if it is sent on.
 *
 * The answer is written to Node's response, because Fastify gives an error a body and a type of its own after this hook, and an `onSend`
 * hook that replaced them would cost every request a microsecond.
 */
export function answerExceededErrors(fastify: FastifyInstance): void {
  fastify.addHook("onError", (request, reply, error, done) => {
    const exchange = new FastifyExchange(request, reply, nothingNext);
    exchange.send = (body) => {
      reply.hijack();
      reply.raw.writeHead(reply.raw.statusCode, reply.getHeaders() as Record<string, string>).end(body);
    };
    if (!answerExceeded(error, request, exchange)) done();
  });
}
