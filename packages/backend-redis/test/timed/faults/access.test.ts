import { RedisBackend, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { startFaultProxy, startStandalone, startTls } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { describe, test } from "vitest";
import { runFault } from "../../support/fault.ts";
import { Events } from "../../support/load.ts";
import { makeUser, rights } from "../../support/user.ts";

describe("Redis decides again after the limiter's user", () => {
  test.concurrent.for([
    ["loses EVALSHA and EVAL", ["-evalsha", "-eval"], ["+evalsha", "+eval"], /NOPERM/],
    ["loses the right to the keys", ["resetkeys"], ["~ratelimit:*"], /NOPERM/],
    ["is switched off and disconnected", ["off"], ["on"], /not connected|WRONGPASS|NOAUTH|ECONN/],
  ] as const)("%s", { timeout: 40_000 }, async ([name, taken, given, reason], { expect }) => {
    await using server = await startStandalone();
    const admin = new Redis(server.url);
    const { username, password } = await makeUser([admin], rights);
    const { events, problems } = await runFault(name, {
      backend: { url: `redis://${username}:${password}@${server.host}:${server.port}` },
      hurt: async () => {
        await admin.call("ACL", "SETUSER", username, ...taken);
        if (taken[0] === "off") await admin.call("CLIENT", "KILL", "USER", username);
      },
      heal: () => admin.call("ACL", "SETUSER", username, ...given),
      forMs: 1500,
      meanwhile: "local",
      stillAsks: name.includes("right to the keys"),
    });
    admin.disconnect();
    expect(problems).toEqual([]);
    expect(events.reasons).toMatch(reason);
    expect(events.reasons).not.toContain(password);
  });

  test.concurrent.for([
    ["is deleted and created again", ["DELUSER"]],
    ["gets a new password, and then the old one again", ["SETUSER", "resetpass", ">rotated"]],
  ] as const)("%s", { timeout: 40_000 }, async ([name, [command, ...rules]], { expect }) => {
    await using server = await startStandalone();
    const admin = new Redis(server.url);
    const { username, password } = await makeUser([admin], rights);
    const { events, problems } = await runFault(name, {
      backend: { url: `redis://${username}:${password}@${server.host}:${server.port}` },
      hurt: async () => {
        await admin.call("ACL", command, username, ...rules);
        if (command === "SETUSER") await admin.call("CLIENT", "KILL", "USER", username);
      },
      heal: () => admin.call("ACL", "SETUSER", username, "reset", "on", `>${password}`, ...rights),
      forMs: 1500,
      meanwhile: "local",
    });
    admin.disconnect();
    expect(problems).toEqual([]);
    expect(events.reasons).toMatch(/WRONGPASS|NOAUTH|not connected/);
    expect(events.reasons).not.toContain(password);
  });
});

describe("TLS", () => {
  test.concurrent.for([
    ["self-signed", /self.signed/i],
    ["wrong-name", /altnames|does not match/],
  ] as const)(
    "with a %s certificate is refused, and the event says why",
    { timeout: 40_000 },
    async ([certificate, reason], { expect }) => {
      await using server = await startTls({ certificate });
      const events = new Events();
      const client = new Redis({
        ...safeRedisOptions,
        host: server.host,
        port: server.port,
        username: server.username,
        password: server.password,
        tls: { ca: server.ca },
      });
      await using backend = new RedisBackend({ client, onOutage: events.listener });
      const limiter = new RateLimiter({ name: "access", rate: 100, backend });
      for (let i = 0; i < 20; i++) expect((await limiter.check("key")).source).toBe("local");
      client.disconnect();
      expect(events.reasons).toMatch(reason);
      expect(events.reasons).not.toContain(server.password);
    },
  );

  test.concurrent("to a port without TLS is refused, and nothing is sent there unencrypted", { timeout: 40_000 }, async ({ expect }) => {
    await using server = await startTls();
    await using proxy = await startFaultProxy(server.plain);
    const events = new Events();
    const url = `rediss://default:${server.password}@${proxy.host}:${proxy.port}`;
    await using backend = new RedisBackend({ url, onOutage: events.listener });
    const limiter = new RateLimiter({ name: "access", rate: 100, backend });
    for (let i = 0; i < 20; i++) expect((await limiter.check("key")).source).toBe("local");
    expect(events.reasons).toMatch(/SSL|TLS|wrong version|not connected|No answer|ECONNRESET/i);
    const admin = new Redis({ ...server.plain, password: server.password });
    expect(await admin.dbsize()).toBe(0);
    admin.disconnect();
  });
});
