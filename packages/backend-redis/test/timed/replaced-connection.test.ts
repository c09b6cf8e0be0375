import { setTimeout as sleep } from "node:timers/promises";
import { RedisBackend, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { type Address, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis5";
import { Redis as Valkey } from "iovalkey";
import { describe, test } from "vitest";
import type { IoredisClient } from "../../src/clients/ioredis.ts";
import { clock } from "../support/clock.ts";

type Client = IoredisClient & { disconnect(): void };

describe("a connection that replaces a lost one stays up, although a call was waiting on the lost one", () => {
  test.concurrent.for([
    ["ioredis 6", (at: Address): Client => new Redis({ ...safeRedisOptions, ...at })],
    ["ioredis 5", (at: Address): Client => new Redis5({ ...safeRedisOptions, ...at })],
    ["iovalkey", (at: Address): Client => new Valkey({ ...safeRedisOptions, ...at })],
  ] as const)("in %s", { timeout: 20_000 }, async ([, open], { expect }) => {
    await using server = await startStandalone();
    const client = open(server.server.address);
    client.on("error", () => {});
    const backend = new RedisBackend({ client, onOutage: () => {} });
    const limiter = new RateLimiter({ rate: 100, name: "replaced", backend });
    await limiter.check("key");

    server.server.pause();
    const waitingSince = clock();
    await limiter.check("key");
    await server.server.kill();
    await server.server.restart({ empty: true });
    while (client.status !== "ready") await sleep(10);
    let closed = 0;
    client.on("close", () => closed++);
    // The deadline of the call that was waiting, and half a second more.
    await sleep(waitingSince + safeRedisOptions.socketTimeout + 500 - clock());
    client.disconnect();
    await backend.close();
    expect(closed).toBe(0);
  });
});
