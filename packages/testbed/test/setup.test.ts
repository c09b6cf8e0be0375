import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Cluster, Redis } from "ioredis";
import { expect, test, vi } from "vitest";
import type { TestProject } from "vitest/node";
import type { ProvidedRedis } from "../src/index.ts";
import setup, { startAll } from "../src/setup.ts";
import { expectNothingLeft, makeTmp, useTmp } from "./leftovers.ts";

test("the setup starts the four topologies, provides their addresses as plain JSON, and stops them", async () => {
  using tmp = useTmp();
  const provided: Record<string, unknown> = {};
  const project = {
    provide: (key: string, value: unknown): void => {
      provided[key] = value;
    },
  };
  const teardown = await setup(project as unknown as TestProject);
  const redis = JSON.parse(JSON.stringify(provided["redis"])) as ProvidedRedis;
  expect(redis).toEqual(provided["redis"]);

  const clients = [
    new Redis(redis.url),
    new Redis({ sentinels: [...redis.sentinels.addresses], name: redis.sentinels.name }),
    new Redis(redis.tls.url, { tls: { ca: redis.tls.ca } }),
    new Cluster([...redis.cluster]),
  ];
  expect(await Promise.all(clients.map((client) => client.set("key", "1")))).toEqual(["OK", "OK", "OK", "OK"]);
  for (const client of clients) client.disconnect();

  await teardown();
  await expectNothingLeft([], tmp);
});

test("the setup starts nothing that the environment names", async () => {
  using tmp = useTmp();
  const { redis, stop } = await startAll({
    ...process.env,
    REDIS_URL: "redis://there:1",
    REDIS_CLUSTER: "a:1, b:2,[::1]:3",
    REDIS_SENTINELS: "c,d:4",
    REDIS_SENTINEL_NAME: "main",
    REDIS_TLS_URL: "rediss://there:5",
    REDIS_TLS_CA: import.meta.filename,
  });
  expect(tmp.left()).toEqual([]);
  expect(redis).toMatchObject({
    url: "redis://there:1",
    cluster: [
      { host: "a", port: 1 },
      { host: "b", port: 2 },
      { host: "::1", port: 3 },
    ],
    sentinels: {
      name: "main",
      addresses: [
        { host: "c", port: 26379 },
        { host: "d", port: 4 },
      ],
    },
    tls: { url: "rediss://there:5", ca: expect.stringContaining("the setup starts nothing") as string },
  });
  await stop();
});

test("the setup stops what it started if one topology fails", async () => {
  using bin = makeTmp();
  using tmp = useTmp();
  await writeFile(join(bin.path, "openssl"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  vi.stubEnv("PATH", `${bin.path}:${process.env["PATH"]}`); // no certificate, no TLS
  await expect(startAll({ REDIS_CLUSTER: "a:1" })).rejects.toThrow("the TLS tests need the program `openssl`");
  await expectNothingLeft([], tmp);
});
