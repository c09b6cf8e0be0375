import { MemoryBackend, rateLimit } from "@ratelimit/fetch";
import { Hono } from "hono";
import { cors } from "hono/cors";
import { afterAll, expect, test } from "vitest";
import { keepGlobals } from "./globals.ts";
import { limited, serveHono } from "./serve-hono.ts";
import { suiteWithout } from "./suite.ts";

const globals = keepGlobals();
afterAll(() => globals[Symbol.dispose]());

const beforeHand = "a header set with `c.header` goes to a response that Hono makes, and a refusal is ours";
const nodesOwn = "it is set on Node's own response, which Hono does not know";
const throwing = "the error goes to `app.onError`, which knows nothing of the refusal";

const inapplicable: Readonly<Record<string, string>> = {
  "an onLimited that throws": throwing,
  "a refusal drops fields": beforeHand,
  "headers that the application set": beforeHand,
  "exposeHeaders: appends": beforeHand,
  "a refusal is not sent": nodesOwn,
  "a refusal is sent with its length": nodesOwn,
  "a limiter behind headers": nodesOwn,
  "a client that hangs up before a limiter": "the platform passes the address along with the request",
  "excludePaths: matches exactly": "the web's Request holds a parsed URL, so `/./health` arrives as `/health`",
  "refund: with refundAborted, a response that its client cuts": "a fetch handler does not learn what the client received",
  "RateLimitExceeded thrown by a handler without limits": "without a limit there is no code of ours that could answer",
  "malformed or unusual requests": "Hono's server for Node answers 400 to a request without a Host",
};

suiteWithout(inapplicable, "Hono", serveHono);

test("refusals and responses have the headers of hono/cors, and those that a middleware sets afterwards", async () => {
  const app = new Hono();
  app.use(cors({ origin: "https://a.example", exposeHeaders: ["X-Own"] }));
  app.use(async (c, next) => {
    await next();
    c.header("x-own", "yes");
  });
  app.use(limited(rateLimit({ rate: 1, backend: new MemoryBackend(), ip: () => "192.0.2.1" })));
  app.get("/", (c) => c.text("ok"));
  for (const status of [200, 429]) {
    const response = await app.request("/", { headers: { Origin: "https://a.example" } });
    expect(response.status).toBe(status);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://a.example");
    expect(response.headers.get("x-own")).toBe("yes");
    expect(response.headers.get("x-ratelimit-remaining")).toBe("0");
  }
});

test("with hono/cors, exposeHeaders adds to what is exposed", async () => {
  const app = new Hono();
  app.use(cors({ origin: "https://a.example", exposeHeaders: ["X-Own"] }));
  app.use(limited(rateLimit({ rate: 9, backend: new MemoryBackend(), ip: () => "192.0.2.1", exposeHeaders: true })));
  app.get("/", (c) => c.text("ok"));
  const response = await app.request("/", { headers: { Origin: "https://a.example" } });
  expect(response.headers.get("access-control-expose-headers")).toBe(
    "X-Own, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After",
  );
});
