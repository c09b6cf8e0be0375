import { once } from "node:events";
import { Agent, get, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Backend } from "@ratelimit/core";
import { rateLimit as expressRateLimit } from "@ratelimit/express";
import { rateLimit as fastifyRateLimit } from "@ratelimit/fastify";
import { rateLimit as koaRateLimit } from "@ratelimit/koa";
import express from "express";
import fastify from "fastify";
import Koa from "koa";

/** A limit as a user writes it. */
export interface Limit {
  readonly name: string;
  readonly rate: number;
  readonly period: number;
  readonly backend?: Backend;
  readonly shadow?: boolean;
}

/** A server that limits each address, and answers 200 with an empty body. */
export interface LimitedServer extends AsyncDisposable {
  /** Sends a request from a loopback address, and returns the status. */
  request(from?: string): Promise<number>;
}

/** Starts a server of each framework. */
export const frameworks: Readonly<Record<string, (limit: Limit) => Promise<LimitedServer>>> = {
  express: async (limit) => {
    const app = express();
    app.use(expressRateLimit(limit));
    app.get("/", (_req, res) => void res.end());
    return served(app.listen(0, "127.0.0.1"));
  },
  fastify: async (limit) => {
    const app = fastify();
    await app.register(fastifyRateLimit, limit);
    app.get("/", async () => "");
    await app.ready();
    app.server.listen(0, "127.0.0.1");
    return served(app.server);
  },
  koa: async (limit) => {
    const app = new Koa();
    app.use(koaRateLimit(limit));
    app.use((ctx) => {
      ctx.body = "";
    });
    return served(app.listen(0, "127.0.0.1"));
  },
};

async function served(server: Server): Promise<LimitedServer> {
  if (!server.listening) await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: false });
  return {
    request: async (from = "127.0.0.1") => {
      const request = get({ host: "127.0.0.1", port, agent, localAddress: from });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      response.resume();
      return response.statusCode ?? 0;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
