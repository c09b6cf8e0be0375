import { createServer, type IncomingMessage, type Server as NodeServer, type ServerResponse } from "node:http";
import middie from "@fastify/middie";
import { Controller, Get, type MiddlewareConsumer, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FastifyAdapter, type NestFastifyApplication } from "@nestjs/platform-fastify";
import { listen, portOf, type Served } from "@ratelimit/conformance";
import type { RateLimitMiddleware } from "@ratelimit/express";
import connect from "connect";
import Fastify, { type FastifyInstance } from "fastify";
import { Server } from "socket.io";
import "reflect-metadata";

/** A way to run the Express middleware outside Express. */
export interface Stack {
  readonly name: string;
  /** Starts a server behind the middlewares. */
  start(...limits: readonly RateLimitMiddleware[]): Promise<Served>;
  readonly target: string;
  /** What it answers to a request for `target`. */
  readonly answer: RegExp;
  /** The status of a request for which a middleware passed an error on. */
  readonly failed: number;
}

export const stacks: readonly Stack[] = [
  { name: "node:http", start: (...limits) => listen(inTurn(limits)), target: "/a?b", answer: /^ok$/, failed: 500 },
  {
    name: "connect",
    start: (...limits) => listen(limits.reduce<connect.Server>((app, limit) => app.use(limit), connect()).use(answer)),
    target: "/a?b",
    answer: /^ok$/,
    failed: 500,
  },
  {
    name: "socket.io's engine",
    async start(...limits) {
      const server = createServer();
      const io = new Server(server);
      for (const limit of limits) io.engine.use(limit);
      await listening(server);
      return { port: portOf(server), close: () => io.close() };
    },
    target: "/socket.io/?EIO=4&transport=polling",
    answer: /"sid":/,
    failed: 400,
  },
  {
    name: "middie, registered before the routes",
    start: (...limits) => inFastify(limits, ["middie", "routes"]),
    target: "/a?b",
    answer: /^ok$/,
    failed: 500,
  },
  {
    name: "middie, registered after the routes",
    start: (...limits) => inFastify(limits, ["routes", "middie"]),
    target: "/a?b",
    answer: /^ok$/,
    failed: 500,
  },
  { name: "NestJS on Fastify", start: (...limits) => inNest(limits), target: "/a?b", answer: /^ok$/, failed: 500 },
];

function answer(_req: IncomingMessage, res: ServerResponse): void {
  res.end("ok");
}

function inTurn([limit, ...others]: readonly RateLimitMiddleware[]): (req: IncomingMessage, res: ServerResponse) => void {
  if (limit === undefined) return answer;
  return (req, res) =>
    limit(req, res, (error) => {
      if (error === undefined) return inTurn(others)(req, res);
      res.statusCode = 500;
      res.end();
    });
}

async function listening(server: NodeServer): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
}

async function inFastify(limits: readonly RateLimitMiddleware[], order: readonly ("middie" | "routes")[]): Promise<Served> {
  const app = Fastify({ forceCloseConnections: true });
  const steps = {
    async middie(): Promise<void> {
      await app.register(middie);
      for (const limit of limits) app.use(limit);
    },
    routes: (): FastifyInstance => app.get("/a", async () => "ok"),
  };
  for (const step of order) await steps[step]();
  await app.listen({ port: 0, host: "127.0.0.1" });
  return { port: portOf(app.server), close: () => app.close() };
}

async function inNest(limits: readonly RateLimitMiddleware[]): Promise<Served> {
  class Pages {
    get(): string {
      return "ok";
    }
  }
  class App {
    configure(consumer: MiddlewareConsumer): void {
      consumer.apply(...limits).forRoutes("{*path}");
    }
  }
  // The decorators of NestJS, called as functions: this repository compiles without decorators.
  Controller()(Pages);
  Get("a")(Pages.prototype, "get", Object.getOwnPropertyDescriptor(Pages.prototype, "get") as PropertyDescriptor);
  Module({ controllers: [Pages] })(App);
  const app = await NestFactory.create<NestFastifyApplication>(App, new FastifyAdapter({ forceCloseConnections: true }), { logger: false });
  await app.listen(0, "127.0.0.1");
  return { port: portOf(app.getHttpServer()), close: () => app.close() };
}
