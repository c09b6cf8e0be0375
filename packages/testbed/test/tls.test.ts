import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { startTls } from "../src/index.ts";

/** Connects once with the right certificate authority, and returns the answer, or the reason why there is none. */
async function ask(url: string, ca: string, command = "PING", ...args: string[]): Promise<unknown> {
  const client = new Redis(url, { tls: { ca }, lazyConnect: true, connectTimeout: 1000, retryStrategy: () => null });
  let reason: unknown;
  client.on("error", (error) => {
    reason ??= error;
  });
  try {
    await client.connect();
    return await client.call(command, ...args);
  } catch (error) {
    return String(reason ?? error);
  } finally {
    client.disconnect();
  }
}

test("a TLS server has a certificate of its own authority and demands a password", async () => {
  await using tls = await startTls();
  expect(await ask(tls.url, tls.ca)).toBe("PONG");
  expect(await ask(tls.url.replace(tls.host, "localhost"), tls.ca)).toBe("PONG");
  expect(await ask(`rediss://${tls.host}:${tls.port}`, tls.ca)).toContain("NOAUTH");
  expect(await ask(tls.url.replace(tls.password, "wrong"), tls.ca)).toContain("WRONGPASS");
});

test("a user has exactly the given rights, also after a restart, until it is deleted", async () => {
  await using tls = await startTls();
  const user = await tls.createUser("limiter", ["~ratelimit:*", "+get", "+set", "+info", "+hello"]);
  const asUser = (...command: [string, ...string[]]): Promise<unknown> => ask(user.url, tls.ca, ...command);
  expect(await asUser("SET", "ratelimit:a", "1")).toBe("OK");
  expect(await asUser("SET", "other:a", "1")).toContain("NOPERM");
  expect(await asUser("DEL", "ratelimit:a")).toContain("NOPERM");
  await tls.server.restart();
  expect(await asUser("GET", "ratelimit:a")).toBe("1");
  const again = await tls.createUser("limiter", ["~ratelimit:*", "+set", "+info", "+hello"]);
  expect(await asUser("GET", "ratelimit:a")).toContain("WRONGPASS");
  expect(await ask(again.url, tls.ca, "GET", "ratelimit:a")).toContain("NOPERM");
  await tls.deleteUser("limiter");
  expect(await ask(again.url, tls.ca)).toContain("WRONGPASS");
});

test.for([
  ["self-signed", "self-signed certificate"],
  ["wrong-name", "does not match certificate's altnames"],
] as const)("a client refuses a %s certificate", async ([certificate, reason]) => {
  await using tls = await startTls({ certificate });
  expect(await ask(tls.url, tls.ca)).toContain(reason);
});

test("the plain port does not serve TLS", async () => {
  await using tls = await startTls();
  // Redis reads the handshake as a line and waits for its end, so mostly nothing comes back.
  const url = tls.url.replace(`:${tls.port}`, `:${tls.plain.port}`);
  expect(await ask(url, tls.ca)).toMatch(/ETIMEDOUT|wrong version number/);
});
