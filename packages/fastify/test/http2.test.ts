import http2 from "node:http2";
import { portOf } from "@ratelimit/conformance";
import rateLimit from "@ratelimit/fastify";
import Fastify from "fastify";
import { expect, test } from "vitest";

test("over HTTP/2, refusals are the same, nothing warns, and refund gets the status that was sent", async () => {
  const warnings: string[] = [];
  const hear = ({ name }: Error): void => void warnings.push(name);
  process.on("warning", hear);
  const asked: number[] = [];
  const app = Fastify({ http2: true, forceCloseConnections: true });
  await app.register(rateLimit, { rate: 2, refund: (_request, status) => asked.push(status) < 0 });
  app.get("/", async () => "ok");
  await app.listen({ port: 0, host: "127.0.0.1" });
  const session = http2.connect(`http://127.0.0.1:${portOf(app.server)}`);
  const ask = async (): Promise<readonly unknown[]> => {
    const stream = session.request({ ":path": "/" });
    const headers = await new Promise<http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader>((resolve) =>
      stream.once("response", resolve),
    );
    stream.resume();
    await new Promise((resolve) => stream.once("close", resolve));
    return [headers[":status"], headers["x-ratelimit-remaining"], headers["content-type"]];
  };
  expect([await ask(), await ask(), await ask()]).toEqual([
    [200, "1", "text/plain; charset=utf-8"],
    [200, "0", "text/plain; charset=utf-8"],
    [429, "0", "application/problem+json"],
  ]);
  await expect.poll(() => asked).toEqual([200, 200]);
  expect(warnings).toEqual([]);
  process.off("warning", hear);
  session.destroy();
  await app.close();
});

/** Larger than the HTTP/2 windows and socket buffers, so that the server is still writing when its client hangs up. */
const large = Buffer.alloc(16 << 20);

test.each([
  ["before the response", "/never", "connect"],
  ["in the middle of the response", "/large", "response"],
] as const)("over HTTP/2, with refundAborted, refund sees 499 if the client hangs up %s", async (_, path, moment) => {
  const asked: number[] = [];
  const app = Fastify({ http2: true, forceCloseConnections: true });
  await app.register(rateLimit, { rate: 2, refundAborted: true, refund: (_request, status) => asked.push(status) < 0 });
  let arrive = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  app.get("/never", () => arrive());
  app.get("/large", async () => large);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const session = http2.connect(`http://127.0.0.1:${portOf(app.server)}`);
  const stream = session.request({ ":path": path });
  await (moment === "response" ? new Promise((resolve) => stream.once("response", resolve)) : arrived);
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await expect.poll(() => asked).toEqual([499]);
  session.destroy();
  await app.close();
});
