import { createServer } from "node:http";
import proxy from "@fastify/http-proxy";
import websocket from "@fastify/websocket";
import { portOf } from "@ratelimit/conformance";
import { type FastifyRateLimitOptions, limitByUser, rateLimit } from "@ratelimit/fastify";
import Fastify, { type FastifyInstance, type FastifyPluginAsync } from "fastify";
import { afterEach, describe, expect, test } from "vitest";
import { handshake, rawHandshake } from "./upgrade.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** Starts a server that accepts every WebSocket handshake. */
async function upstream(): Promise<string> {
  const server = createServer();
  server.on("upgrade", (_req, socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({ close: () => server.close() });
  return `http://127.0.0.1:${portOf(server)}`;
}

/** Ways to accept WebSockets in Fastify, at the path /ws. */
const ways: { name: string; accept: () => Promise<FastifyPluginAsync<{ limit?: FastifyRateLimitOptions }>> }[] = [
  {
    name: "@fastify/websocket",
    accept: async () => async (scope) => {
      scope.get("/ws", { websocket: true }, (socket) => socket.send("hello"));
    },
  },
  {
    name: "@fastify/http-proxy",
    async accept() {
      const options = { upstream: await upstream(), prefix: "/ws", websocket: true };
      return async (scope) => void (await scope.register(proxy, options));
    },
  },
];

async function serve({ name, accept }: (typeof ways)[number], ...steps: ("limit" | "sockets")[]): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true });
  if (name === "@fastify/websocket") await app.register(websocket);
  const accepting = await accept();
  for (const step of steps)
    if (step === "limit") await app.register(rateLimit, { rate: 2, period: "1h", headers: ["legacy", "draft-8"] });
    else await app.register(accepting);
  await app.listen({ port: 0, host: "127.0.0.1" });
  open.push(app);
  return app;
}

describe.each(ways)("with $name, WebSocket upgrades are limited:", (way) => {
  test.each([
    ["the plugin first", ["limit", "sockets"]],
    ["the plugin last", ["sockets", "limit"]],
  ] as const)("%s", async (_, steps) => {
    const app = await serve(way, ...steps);
    const port = portOf(app.server);
    const found = [await handshake(port, "/ws"), await handshake(port, "/ws"), await handshake(port, "/ws")];
    expect(found.map(({ status }) => status)).toEqual([101, 101, 429]);
    expect(found[2]).toMatchObject({
      headers: { "x-ratelimit-remaining": "0", ratelimit: '"default";r=0;t=1800', "retry-after": "1800", "cache-control": "no-store" },
    });
    expect(JSON.parse(found[2]?.body ?? "")).toMatchObject({ status: 429, retryAfter: 1800 });
  });

  test("a refused upgrade is one whole response, and then the connection ends", async () => {
    const app = await serve(way, "limit", "sockets");
    const port = portOf(app.server);
    for (const _ of [1, 2]) await handshake(port, "/ws");
    const [head = "", body = ""] = (await rawHandshake(port, "/ws")).split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n/);
    expect(head.toLowerCase()).toContain(`\r\ncontent-length: ${body.length}`);
    expect(JSON.parse(body)).toMatchObject({ status: 429 });
  });
});

test("with @fastify/websocket, a route's limit, a user's limit and onLimited apply to upgrades", async () => {
  const app = Fastify({ forceCloseConnections: true });
  await app.register(websocket);
  await app.register(rateLimit);
  const limits = {
    "/own": { rate: 1 },
    "/user": limitByUser({ rate: 1, user: ({ headers }) => headers.authorization }),
    "/said": { rate: 1, onLimited: () => ({ said: "no" }) },
  };
  for (const [path, limit] of Object.entries(limits))
    app.get(path, { websocket: true, config: { rateLimit: limit } }, (socket) => socket.close());
  await app.listen({ port: 0, host: "127.0.0.1" });
  open.push(app);
  const as = async (path: string, user: string): Promise<unknown> =>
    (await handshake(portOf(app.server), path, { authorization: user })).status;
  expect([await as("/own", "ada"), await as("/own", "ada")]).toEqual([101, 429]);
  expect([await as("/user", "ada"), await as("/user", "grace"), await as("/user", "ada")]).toEqual([101, 101, 429]);
  await as("/said", "ada");
  expect(JSON.parse((await handshake(portOf(app.server), "/said")).body)).toEqual({ said: "no" });
});
