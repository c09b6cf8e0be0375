import { setTimeout } from "node:timers/promises";
import rateLimit from "@ratelimit/fastify";
import Fastify, { type FastifyInstance } from "fastify";
import { expect, test } from "vitest";

/** Creates an app whose limit counts only failures, and a list of the statuses that its `refund` has seen. */
async function logIn(): Promise<{ app: FastifyInstance; seen: number[] }> {
  const seen: number[] = [];
  const app = Fastify();
  await app.register(rateLimit, { rate: 2, refundAborted: true, refund: (_request, status) => seen.push(status) > 0 && status < 400 });
  app.get<{ Params: { status: string } }>("/:status", (request, reply) => void reply.code(Number(request.params.status)).send("done"));
  app.get("/never", () => {});
  return { app, seen };
}

test("without a socket (inject, @fastify/aws-lambda), refund sees the status that was sent", async () => {
  const { app, seen } = await logIn();
  const ask = async (url: string): Promise<number> => (await app.inject(url)).statusCode;
  for (let i = 0; i < 4; i++) {
    expect(await ask("/200")).toBe(200);
    await expect.poll(() => seen.length).toBe(i + 1);
  }
  expect([await ask("/401"), await ask("/401"), await ask("/200")]).toEqual([401, 401, 429]);
  await expect.poll(() => seen).toEqual([200, 200, 200, 200, 401, 401]);
});

test("without a socket, with refundAborted, refund sees 499 for a request that is aborted", async () => {
  const { app, seen } = await logIn();
  const abort = new AbortController();
  const aborted = expect(app.inject({ url: "/never", signal: abort.signal })).rejects.toThrow();
  setImmediate(() => abort.abort());
  await aborted;
  await expect.poll(() => seen).toEqual([499]);
});

test("without a socket, with refundAborted, refund sees 499 for a request that is aborted during the decision", async () => {
  const seen: number[] = [];
  const app = Fastify();
  const abort = new AbortController();
  const key = async (): Promise<string> => {
    abort.abort();
    await setTimeout(20);
    return "ada";
  };
  await app.register(rateLimit, { rate: 2, key, refundAborted: true, refund: (_request, status) => seen.push(status) < 0 });
  app.get("/", () => {});
  await expect(app.inject({ url: "/", signal: abort.signal })).rejects.toThrow();
  await expect.poll(() => seen).toEqual([499]);
});
