import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { portOf } from "@ratelimit/conformance";
import { ManualClock, RateLimiter } from "@ratelimit/core";
import { type ExpressRateLimitOptions, rateLimit } from "@ratelimit/express";
import { Server } from "socket.io";
import { afterEach, expect, test } from "vitest";

const open: Server[] = [];
afterEach(() => Promise.all(open.splice(0).map((io) => io.close())));

/** Starts socket.io with a limit on its engine, and returns it with its port. */
async function start(options: ExpressRateLimitOptions): Promise<{ io: Server; port: number }> {
  const server = createServer();
  const io = new Server(server);
  open.push(io);
  io.engine.use(rateLimit(options));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { io, port: portOf(server) };
}

/** Starts with a WebSocket. Returns the status of the answer, or the code of the error. */
async function handshake(port: number): Promise<number | string | undefined> {
  const upgrade = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": `${"A".repeat(22)}==`,
  };
  const sent = request({ port, path: "/socket.io/?EIO=4&transport=websocket", headers: upgrade, agent: false }).end();
  try {
    const [{ statusCode }, socket] = (await once(sent, "upgrade")) as [IncomingMessage, Duplex];
    socket.destroy();
    return statusCode;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

test("a refused WebSocket handshake is closed without an answer, because engine.io passes none on", async () => {
  const { port } = await start({ rate: 2, refund: () => false, exposeHeaders: true });
  expect([await handshake(port), await handshake(port), await handshake(port)]).toEqual([101, 101, "ECONNRESET"]);
});

/** A client that polls, as socket.io's do at first. */
class Polling {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  static async connect(port: number): Promise<Polling | number> {
    const url = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`;
    const response = await fetch(url);
    if (!response.ok) return response.status;
    const { sid } = JSON.parse((await response.text()).slice(1)) as { sid: string };
    const client = new Polling(`${url}&sid=${sid}`);
    await client.send("40");
    await client.poll();
    return client;
  }

  async send(packet: string): Promise<void> {
    expect((await fetch(this.#url, { method: "POST", body: packet })).status).toBe(200);
  }

  async poll(): Promise<string> {
    const response = await fetch(this.#url);
    expect(response.status).toBe(200);
    return response.text();
  }
}

test("with skip for requests that have a sid, a connection takes one token, and each message one of a second limiter", async () => {
  const { io, port } = await start({ rate: 2, period: "1h", skip: (req) => /[?&]sid=/.test(req.url) });
  const messages = new RateLimiter({ rate: 2, backend: new MemoryBackend({ clock: new ManualClock() }) });
  io.on("connection", (socket) => {
    socket.use((_event, next) => {
      messages.check("ada").then(({ allowed, retryAfter }) => {
        if (allowed) next();
        else socket.emit("limited", { retryAfter });
      }, next);
    });
    socket.on("say", (word: string) => socket.emit("said", word));
  });
  const client = (await Polling.connect(port)) as Polling;
  const heard: string[] = [];
  for (const word of ["one", "two", "three"]) {
    await client.send(`42["say","${word}"]`);
    heard.push(await client.poll());
  }
  expect(heard).toEqual(['42["said","one"]', '42["said","two"]', '42["limited",{"retryAfter":30}]']);
  await Polling.connect(port);
  expect(await Polling.connect(port)).toBe(429);
});
