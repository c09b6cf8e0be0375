import { RedisBackend } from "@ratelimit/backend-redis";
import { backendSuite } from "@ratelimit/conformance";
import { findOtherServers, type Standalone, startStandalone } from "@ratelimit/testbed";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Opened, patientLibraries } from "../support/libraries.ts";
import { strict } from "../support/strict.ts";

const others = await findOtherServers();

test("the other servers of this machine are named", () => {
  const found = others.map(({ path, version }) => `${path} ${version}`).join(", ");
  process.stdout.write(`other servers: ${found || "none, so nothing else is tested; REDIS_SERVERS may name some"}\n`);
  expect(new Set(others.map(({ path }) => path)).size).toBe(others.length);
});

describe.each(others)("$path $version", (binary) => {
  let server: Standalone;
  beforeAll(async () => {
    server = await startStandalone({ binary });
  });
  afterAll(() => server.stop());

  describe.each(patientLibraries)("through $name", ({ standalone }) => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await standalone(server);
    });
    afterAll(() => opened[Symbol.asyncDispose]());
    backendSuite(test, () => ({ backend: new RedisBackend({ client: opened.client, ...strict }) }), { liveClock: true });
  });
});
