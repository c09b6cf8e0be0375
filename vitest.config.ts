import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { conditions } from "./packages/testbed/src/conditions.ts";
import { lua } from "./packages/testbed/src/lua-plugin.ts";

// One row per folder that has tests. The last part of its path is the project's name, with "redis:" before it
// where the tests need a Redis server. What holds decisions against the clock runs alone, one file after the other: on a machine of
// two cores a neighbour would be measured too.
const projects: { root: string; redis?: true; alone?: true; globalSetup?: string }[] = [
  { root: "packages/core" },
  { root: "packages/backend-memory" },
  { root: "packages/backend-redis", redis: true, alone: true, globalSetup: "../testbed/src/setup.ts" },
  { root: "packages/express" },
  { root: "packages/fastify" },
  { root: "packages/koa" },
  { root: "packages/conformance" },
  { root: "packages/testbed", redis: true },
  { root: "apps/demo", redis: true, alone: true, globalSetup: "../../packages/testbed/src/setup.ts" },
  { root: "apps/bench", redis: true },
  { root: "docs" },
];

// Failovers, split brain, a soak, ten million keys: too long for every run.
const faults: typeof projects = [{ root: "packages/backend-memory" }, { root: "packages/backend-redis", redis: true, alone: true }];
const isFaults = process.env["TEST_FAULTS"] !== undefined;

// .ci/run reads its closing line from this file.
const report = process.env["VITEST_REPORT"];

export default defineConfig({
  plugins: [lua],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [isFaults ? "test-faults/**/*.test.ts" : "test/**/*.test.ts"],
    pool: "forks",
    // Many tests wait for a timer, so three files at a time keep even two cores busy. Vitest's own choice there is one file.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    setupFiles: [`${import.meta.dirname}/vitest.setup.ts`],
    testTimeout: 20_000,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    projects: (isFaults ? faults : projects).map(({ root, redis, alone, ...test }, i) => ({
      extends: true,
      root,
      test: {
        name: `${redis ? "redis:" : ""}${root.slice(root.lastIndexOf("/") + 1)}`,
        ...test,
        ...(alone && { sequence: { groupOrder: 1 + i }, maxWorkers: 1 }),
      },
    })),
  },
});
