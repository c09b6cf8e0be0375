import { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { portOf } from "@ratelimit/conformance";
import { type FastifyRateLimitOptions, RateLimitExceeded, rateLimit } from "@ratelimit/fastify";
import Fastify from "fastify";
import { expect, test } from "vitest";

test("a hijacked reply has the rate limit headers", async () => {
  const app = Fastify({ forceCloseConnections: true });
  await app.register(rateLimit, { rate: 5, headers: ["legacy", "draft-8"], exposeHeaders: true });
  app.get("/", async (_request, reply) => {
    reply.hijack();
    reply.raw.setHeader("content-type", "text/event-stream");
    reply.raw.end("data: 1\n\n");
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { headers } = await fetch(`http://127.0.0.1:${portOf(app.server)}/`);
  await app.close();
  expect([headers.get("x-ratelimit-remaining"), headers.get("ratelimit"), headers.get("content-type")]).toEqual([
    "4",
    '"default";r=4;t=48',
    "text/event-stream",
  ]);
  expect(headers.get("access-control-expose-headers")).toContain("X-RateLimit-Remaining");
});

test.each([
  ["reply.redirect in onLimited is a redirect", undefined, 302],
  ["reply.redirect in onLimited keeps a status that it was given", 303, 303],
] as const)("%s, with the rate limit headers", async (_, given, status) => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 1, onLimited: (_result, _request, reply) => reply.redirect("/wait", given) });
  app.get("/", async () => "ok");
  await app.inject("/");
  const refused = await app.inject("/");
  const { location, "x-ratelimit-remaining": remaining, "retry-after": retryAfter, "cache-control": cacheControl } = refused.headers;
  expect([refused.statusCode, location, remaining, retryAfter, cacheControl]).toEqual([status, "/wait", "0", "60", "no-store"]);
});

type OnLimited = NonNullable<FastifyRateLimitOptions["onLimited"]>;

const answering: readonly (readonly [what: string, onLimited: OnLimited, expected: readonly unknown[]])[] = [
  ["reply.send", (_result, _request, reply) => void reply.send({ sorry: 1 }), [429, '{"sorry":1}']],
  ["reply.send, whose reply is returned", (_result, _request, reply) => reply.send({ sorry: 1 }), [429, '{"sorry":1}']],
  ["reply.send, whose reply is awaited", async (_result, _request, reply) => void (await reply.send({ sorry: 1 })), [429, '{"sorry":1}']],
  ["a stream", (_result, _request, reply) => void reply.type("text/plain").send(Readable.from(["a", "b"])), [429, "ab"]],
  ["reply.redirect", (_result, _request, reply) => void reply.redirect("/wait"), [302, ""]],
];

const observing: readonly (readonly [what: string, onLimited: OnLimited])[] = [
  ["returns the reply", (_result, _request, reply) => reply.header("x-why", "limited")],
  ["resolves with the reply", async (_result, _request, reply) => reply.header("x-why", "limited")],
];

/** Sends a second request to a server that admits one, and answers only after an asynchronous hook. */
async function refusalBy(onLimited: OnLimited): Promise<{ response: Response; text: string; logged: string[] }> {
  const logged: string[] = [];
  const stream = { write: (line: string): void => void logged.push((JSON.parse(line) as { msg: string }).msg) };
  const app = Fastify({ forceCloseConnections: true, logger: { level: "warn", stream } });
  app.addHook("onSend", async (_request, _reply, payload) => {
    await setTimeout(5);
    return payload;
  });
  await app.register(rateLimit, { rate: 1, onLimited });
  app.get("/", async () => "ok");
  await app.listen({ port: 0, host: "127.0.0.1" });
  const ask = (): Promise<Response> => fetch(`http://127.0.0.1:${portOf(app.server)}/`, { redirect: "manual" });
  await ask();
  const response = await ask();
  const text = await response.text();
  await app.close();
  return { response, text, logged };
}

test.each(answering)("with an asynchronous onSend hook, an answer by %s is the only one", async (_, onLimited, expected) => {
  const { response, text, logged } = await refusalBy(onLimited);
  expect([response.status, text]).toEqual(expected);
  expect(response.headers.get("content-type")).not.toBe("application/problem+json");
  expect(response.headers.get("retry-after")).toBe("60");
  expect(logged).toEqual([]);
});

test.each(observing)("an onLimited that only observes and %s gets the default refusal", async (_, onLimited) => {
  const { response, logged } = await refusalBy(onLimited);
  expect([response.status, response.headers.get("content-type"), response.headers.get("x-why")]).toEqual([
    429,
    "application/problem+json",
    "limited",
  ]);
  expect(logged).toEqual([]);
});

test("RateLimitExceeded after the handler has begun to write ends the response, as any error does", async () => {
  const app = Fastify({ forceCloseConnections: true });
  await app.register(rateLimit, { rate: 5 });
  app.get("/", async (_request, reply) => {
    reply.raw.writeHead(200).write("begun");
    throw new RateLimitExceeded({ limit: 1, retryAfter: 60 });
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  await expect(fetch(`http://127.0.0.1:${portOf(app.server)}/`).then((response) => response.text())).rejects.toThrow();
  await app.close();
});
