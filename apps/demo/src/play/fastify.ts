import type { RequestListener } from "node:http";
import { rateLimit } from "@ratelimit/fastify";
import fastify, { type FastifyRequest } from "fastify";
import type { Site } from "../limits.ts";
import { decisionField, playOptions, readableByPages, timed } from "./play.ts";

/** `/play` in Fastify. */
export async function fastifyPlay({ backend, config }: Site): Promise<RequestListener> {
  const app = fastify();
  app.addHook("onRequest", async (_request, reply) => {
    reply.headers(readableByPages);
  });
  await app.register(rateLimit);
  const limit = {
    ...playOptions<FastifyRequest>(backend, config.keyPrefix, ({ raw }) => raw),
    onLimited: (result, request, reply) => {
      reply.header(...decisionField(request.raw, result));
    },
  } satisfies Parameters<typeof rateLimit>[1];
  app.get("/play", { config: { rateLimit: limit } }, async (request, reply) => {
    if (request.rateLimit) reply.header(...decisionField(request.raw, request.rateLimit));
    return { status: "ok" };
  });
  await app.ready();
  return timed((req, res) => app.routing(req, res));
}
