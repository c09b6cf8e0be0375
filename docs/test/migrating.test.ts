/** Compares docs/migrating.md and the hints in errors with the other libraries, as they are installed here. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import fastifyRateLimit, { type RateLimitPluginOptions } from "@fastify/rate-limit";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, type RateLimitError, RateLimiter } from "@ratelimit/core";
import { rateLimit } from "@ratelimit/express";
import express from "express";
import { rateLimit as expressRateLimit } from "express-rate-limit";
import fastify from "fastify";
import { Redis } from "ioredis";
import Koa from "koa";
import koaRateLimit from "koa-ratelimit";
import { describe, expect, test, vi } from "vitest";
import { guardRules } from "../../packages/core/src/http/guard/options.ts";
import { pages } from "./pages.ts";

const text = pages.find(({ path }) => path === "docs/migrating.md")?.text ?? "";

function read(file: string): string {
  return readFileSync(join(import.meta.dirname, "../node_modules", file), "utf8");
}

function namesIn(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}

/** The names that are declared in the interfaces and object types of a declaration file whose names match `which`. */
function declared(file: string, which: RegExp): string[] {
  const bodies = read(file)
    .replaceAll(/\/\*.*?\*\/|\/\/[^\n]*/gs, "")
    .split(/^\s*(?:export )?(?:declare )?(?:interface|type|class|function|namespace|const) /m)
    .filter((body) => which.test(body));
  return bodies.flatMap((body) => namesIn(body, /^\s+(?:readonly )?(\w+)\??(?:\([^)]*\))?:/gm)).filter((name) => !isInside.test(name));
}

const [, expressOptions = ""] = /optionsMap = \{(.*?)\}/s.exec(read("express-rate-limit/dist/index.mjs")) ?? [];
const [, koaOptions = ""] = /^## Options\n(.*?)^## /ms.exec(read("koa-ratelimit/README.md")) ?? [];

/** Parameters and fields inside the types of options, which a line of the declarations does not tell from options. */
const isInside = /^(req|context|attrs|readCapacityUnits|writeCapacityUnits)$/;

/** The options of each library. In koa-ratelimit's list, the names of its headers look like options, and two options are missing. */
const options: Readonly<Record<string, readonly string[]>> = {
  "express-rate-limit": namesIn(expressOptions, /(\w+): true/g),
  "rate-limiter-flexible": declared("rate-limiter-flexible/types.d.ts", /^I(RateLimiter\w*Options|RLWrapper\w+|RateLimiterQueueOpts)\b/),
  "@fastify/rate-limit": declared("@fastify/rate-limit/types/index.d.ts", /^(CreateRateLimit|RateLimit|RateLimitPlugin)Options\b/),
  "koa-ratelimit": [...namesIn(koaOptions, /^\* `(?!remaining|reset|total)(\w+)`/gm), "onLimited", "status"],
  "@nestjs/throttler": declared("@nestjs/throttler/dist/throttler-module-options.interface.d.ts", /^Throttler(Module)?Options\b/),
};

/** Options without a hint. Those of databases have no equivalent, and the others need none in any constructor of ours. */
const unhinted =
  /^(dbName|table\w+|clearExpiredByTimeout|schema|schemaName|indexKeyPrefix|disableIndexesCreation|dynamoTableOpts|ttlSet|storeType|custom\w+|use\w+Package|rejectIf\w+NotReady|runActionAnyway)$/;

describe.each(Object.entries(options))("%s", (library, names) => {
  test("its options were found", () => {
    expect(names.length).toBeGreaterThan(9);
  });

  test("the page has a row for every option", () => {
    const section = text.split(/^## /m).find((part) => part.startsWith(`${library}\n`)) ?? "";
    const rows = [...section.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    expect(names.filter((name) => !rows.includes(name))).toEqual([]);
  });

  test("the error for every option says what to write, unless the name is one of ours", () => {
    const messages = names
      .filter((name) => !unhinted.test(name) && !Object.hasOwn(guardRules.plain, name) && name !== "hook")
      .map((name) => messageOf(() => rateLimit({ rate: 1, [name]: 1 } as never)));
    expect(messages.filter((message) => !/^Unknown option `\w+`: (write|leave it out|call|subscribe)/.test(message))).toEqual([]);
  });
});

test.each([
  [100, 199],
  [50, 99],
])("a bucket of %i per minute admits %i requests in a minute, however they are timed", (rate, admitted) => {
  const clock = new ManualClock();
  const limiter = new RateLimiter({ rate, period: "1m", backend: new MemoryBackend({ clock }) });
  let count = 0;
  for (let ms = 0; ms < 60_000; ms += 50, clock.advance(50)) while (limiter.checkSync("a").allowed) count++;
  expect(count).toBe(admitted);
});

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as RateLimitError).message;
  }
  return "no error";
}

interface Served {
  readonly url: string;
  readonly stop: () => unknown;
}

/** Starts an application of Express or Koa. */
async function serve(app: { listen(port: number, host: string): Server }): Promise<Served> {
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop: () => server.close().closeAllConnections() };
}

async function serveFastify(options: RateLimitPluginOptions): Promise<Served> {
  const app = fastify({ forceCloseConnections: true });
  await app.register(fastifyRateLimit, options);
  app.get("/", async () => "ok");
  return { url: await app.listen({ port: 0, host: "127.0.0.1" }), stop: () => app.close() };
}

/** The last of some responses. `reset` says whether X-RateLimit-Reset is a Unix time or a number of seconds from now. */
async function answerOf({ url, stop }: Served, requests: number): Promise<{ status: number; type: string | undefined; reset: string }> {
  for (let i = 1; i < requests; i++) await fetch(url);
  const { status, headers } = await fetch(url);
  await stop();
  const reset = Number(headers.get("x-ratelimit-reset")) > 1e9 ? "Unix" : "from now";
  return { status, type: headers.get("content-type")?.split(";")[0], reset };
}

test("the others refuse as the page says", async () => {
  expect(await answerOf(await serve(express().use(expressRateLimit({ limit: 1 }))), 2)).toEqual({
    status: 429,
    type: "text/html",
    reset: "Unix",
  });
  expect(await answerOf(await serve(new Koa().use(koaRateLimit({ driver: "memory", db: new Map(), max: 1 }))), 2)).toEqual({
    status: 429,
    type: "text/plain",
    reset: "Unix",
  });
  expect(await answerOf(await serveFastify({ max: 1 }), 2)).toEqual({ status: 429, type: "application/json", reset: "from now" });
});

test("the others answer a failing store with a 500", async () => {
  const error = new Error("The store fails");
  const store = { increment: () => Promise.reject(error), decrement: () => {}, resetKey: () => {} };
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  expect((await answerOf(await serve(express().use(expressRateLimit({ store }))), 1)).status).toBe(500);

  class FailingStore {
    incr(_key: string, callback: (error: Error) => void): void {
      callback(error);
    }
    child(): FailingStore {
      return this;
    }
  }
  expect((await answerOf(await serveFastify({ store: FailingStore }), 1)).status).toBe(500);

  const db = new Redis({ lazyConnect: true, port: 1, retryStrategy: () => null });
  db.on("error", () => {});
  expect((await answerOf(await serve(new Koa().use(koaRateLimit({ driver: "redis", db: db as never }))), 1)).status).toBe(500);
  db.disconnect();
  logged.mockRestore();
});
