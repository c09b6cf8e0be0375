import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import fastify from "fastify";
import Koa from "koa";
import { expressLimiters, fastifyLimiters, type HttpRule, koaLimiters, type LimiterId } from "./limiters.ts";

export type Framework = "express" | "fastify" | "koa";

/** A listening server. */
export interface Serving {
  readonly port: number;
  close(): Promise<void>;
}

const peers: Readonly<Record<Framework, string>> = { express: "express-rate-limit", fastify: "@fastify/rate-limit", koa: "koa-ratelimit" };

export function nameOf(framework: Framework, limiter: LimiterId): string {
  const limiters: Readonly<Record<LimiterId, string>> = {
    none: "no limiter",
    minimal: "a minimal limiter",
    ours: `@ratelimit/${framework}`,
    peer: peers[framework],
  };
  return `${framework}, ${limiters[limiter]}`;
}

const page = { status: "ok" };

/** Starts a server with one page behind a limiter, on a free port. */
export const serve: Readonly<Record<Framework, (limiter: LimiterId, rule: HttpRule) => Promise<Serving>>> = {
  express: async (limiter, rule) => {
    const app = express();
    for (const middleware of expressLimiters[limiter](rule)) app.use(middleware);
    app.get("/", (_req, res) => {
      res.json(page);
    });
    return listening(app.listen(0, "127.0.0.1"));
  },
  fastify: async (limiter, rule) => {
    const app = fastify();
    await fastifyLimiters[limiter](app, rule);
    app.get("/", async () => page);
    await app.listen({ host: "127.0.0.1", port: 0 });
    return { port: portOf(app.server), close: () => app.close() };
  },
  koa: async (limiter, rule) => {
    const app = new Koa();
    for (const middleware of koaLimiters[limiter](rule)) app.use(middleware);
    app.use((ctx) => {
      ctx.body = page;
    });
    return listening(app.listen(0, "127.0.0.1"));
  },
};

/** Resolves when a server listens. */
export async function listening(server: Server): Promise<Serving> {
  if (!server.listening) await once(server, "listening");
  return {
    port: portOf(server),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
