import { RedisBackend } from "@ratelimit/backend-redis";
import { backendSuite } from "@ratelimit/conformance";
import type {} from "@ratelimit/testbed";
import { afterAll, beforeAll, describe, inject, test } from "vitest";
import { addressOf, type Opened, patientLibraries } from "../support/libraries.ts";
import { strict } from "../support/strict.ts";

const { url, cluster, sentinels } = inject("redis");

describe.each(patientLibraries)("$name", ({ standalone, ...library }) => {
  const topologies: readonly (readonly [string, () => Promise<Opened>])[] = [
    ["one server", () => standalone(addressOf(url))],
    ["a Cluster", () => library.cluster(cluster)],
    ...(library.sentinel === undefined ? [] : [["Sentinels", () => library.sentinel?.(sentinels) as Promise<Opened>] as const]),
  ];
  describe.each(topologies)("%s", (_, open) => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened[Symbol.asyncDispose]());
    backendSuite(test, () => ({ backend: new RedisBackend({ client: opened.client, ...strict }) }), { liveClock: true });
  });
});
