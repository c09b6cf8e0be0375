import type { IncomingHttpHeaders, Server } from "node:http";
import type { RateLimiter } from "@ratelimit/core";
import { rateLimit as forExpress } from "@ratelimit/express";
import { rateLimit as forFastify } from "@ratelimit/fastify";
import { rateLimit as forKoa, type RateLimitState } from "@ratelimit/koa";
import express from "express";
import fastify from "fastify";
import Koa from "koa";
import { type Framework, listening, portOf, type Serving } from "../http/servers.ts";
import { fields } from "./rules.ts";

/** The options that all three adapters share. */
export interface SharedLimit {
  limiter(request: { readonly headers: IncomingHttpHeaders }): RateLimiter;
  key(request: { readonly headers: IncomingHttpHeaders }): string;
}

const page = { status: "ok" };

/** Starts a server with one page behind a limit, on a free port. A page that is served tells what decided. */
export const serve: Readonly<Record<Framework, (limit: SharedLimit) => Promise<Serving>>> = {
  express: async (limit) => {
    const app = express();
    app.use(forExpress(limit));
    app.get("/", (req, res) => {
      res.set(fields.source, req.rateLimit?.source).json(page);
    });
    const server = app.listen(0, "127.0.0.1");
    keepConnections(server);
    return listening(server);
  },
  fastify: async (limit) => {
    const app = fastify();
    await app.register(forFastify, limit);
    app.get("/", async (request, reply) => {
      reply.header(fields.source, request.rateLimit?.source);
      return page;
    });
    keepConnections(app.server);
    await app.listen({ host: "127.0.0.1", port: 0 });
    return { port: portOf(app.server), close: () => app.close() };
  },
  koa: async (limit) => {
    const app = new Koa<RateLimitState>();
    app.use(forKoa(limit));
    app.use((ctx) => {
      ctx.set(fields.source, ctx.state.rateLimit?.source ?? "");
      ctx.body = page;
    });
    const server = app.listen(0, "127.0.0.1");
    keepConnections(server);
    return listening(server);
  },
};

/** Otherwise a server could close an idle connection just when the client sends a request on it, which would count as a failure. */
function keepConnections(server: Server): void {
  server.keepAliveTimeout = 0;
}
