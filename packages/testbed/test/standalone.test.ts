import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { startStandalone } from "../src/index.ts";
import { expectNothingLeft, useTmp } from "./leftovers.ts";

async function ask(url: string, command: string, ...args: string[]): Promise<unknown> {
  const client = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0, commandTimeout: 500 });
  client.on("error", () => {});
  try {
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}

test("a server starts, answers, leaves nothing behind, and may be stopped twice", async () => {
  using tmp = useTmp();
  const standalone = await startStandalone();
  expect(await ask(standalone.url, "PING")).toBe("PONG");
  expect(standalone.server.running).toBe(true);
  await Promise.all([standalone.stop(), standalone.stop()]);
  await standalone.stop();
  expect(standalone.server.running).toBe(false);
  await expectNothingLeft([standalone.server.pid], tmp);
  await expect(standalone.server.restart()).rejects.toThrow("was stopped for good");
});

test("a paused server is silent", async () => {
  await using standalone = await startStandalone();
  standalone.server.pause();
  await expect(ask(standalone.url, "PING")).rejects.toThrow();
  standalone.server.resume();
  expect(await ask(standalone.url, "PING")).toBe("PONG");
});

test.for([
  ["after a restart", [], {}, false, "here"],
  ["after a restart with empty: true", [], { empty: true }, false, null],
  ["after a kill and a restart", [], {}, true, null],
  ["after a kill and a restart with an append-only file", ["--appendonly", "yes"], {}, true, "here"],
  ["after a kill and a restart with an append-only file and empty: true", ["--appendonly", "yes"], { empty: true }, true, null],
] as const)("%s a server has the same port, another process and the expected data", async ([, args, options, kill, value]) => {
  await using standalone = await startStandalone({ args });
  const { server, url } = standalone;
  const before = server.pid;
  await ask(url, "SET", "key", "here");
  if (kill) {
    await server.kill();
    await expect(ask(url, "PING")).rejects.toThrow("Connection is closed");
  }
  await server.restart(options);
  expect(server.pid).not.toBe(before);
  expect(await ask(url, "GET", "key")).toBe(value);
});

test("a restarted server forgets what it saved for an earlier restart", async () => {
  await using standalone = await startStandalone();
  await ask(standalone.url, "SET", "key", "old");
  await standalone.server.restart();
  await standalone.server.kill();
  await standalone.server.restart();
  expect(await ask(standalone.url, "GET", "key")).toBeNull();
});

test("a paused server can be restarted", async () => {
  await using standalone = await startStandalone();
  standalone.server.pause();
  await standalone.server.restart();
  expect(await ask(standalone.url, "PING")).toBe("PONG");
});

test("a server uses the port and the folder it is given, and keeps the folder", async () => {
  const dir = mkdtempSync(join(tmpdir(), "ratelimit-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const first = await startStandalone({ dir, args: ["--appendonly", "yes"] });
  await ask(first.url, "SET", "key", "kept");
  await first.stop();
  expect(readdirSync(dir)).toContain("appendonlydir");
  await using second = await startStandalone({ dir, port: first.port, args: ["--appendonly", "yes"] });
  expect(second.port).toBe(first.port);
  expect(await ask(second.url, "GET", "key")).toBe("kept");
});

test("a port that is taken is an error", async () => {
  using tmp = useTmp();
  await using standalone = await startStandalone();
  const before = tmp.left();
  await expect(startStandalone({ port: standalone.port })).rejects.toThrow("Address already in use");
  expect(tmp.left()).toEqual(before);
});

test("a server restarts on a port that was taken for a moment", async () => {
  await using standalone = await startStandalone();
  await standalone.server.kill();
  const squatter = createServer().listen(standalone.port, standalone.host);
  // If the old server still has the port, it is taken anyway.
  squatter.on("error", () => {});
  setTimeout(() => squatter.close(), 100);
  await standalone.server.restart();
  expect(await ask(standalone.url, "PING")).toBe("PONG");
});
