import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { conditions } from "./packages/testbed/src/conditions.ts";
import { lua } from "./packages/testbed/src/lua-plugin.ts";

// One row per folder that has tests. The last part of its path is the project's name, with "redis:" before it
// where the tests need a Redis server. What holds decisions against the clock runs alone, one file after the other: on a machine of
// two cores a neighbour would be measured too. Files of a shared project run in the same processes, which saves their start, as long as
// the sources are tested: vitest.setup.ts loads those anew for each file, but not what is built.
const projects: { root: string; redis?: true; alone?: true; shared?: true; globalSetup?: string }[] = [
  { root: "packages/core", shared: true },
  { root: "packages/backend-memory" },
  { root: "packages/backend-redis", redis: true, alone: true, globalSetup: "../testbed/src/setup.ts" },
  { root: "packages/express" },
  { root: "packages/fastify" },
  { root: "packages/koa" },
  { root: "packages/conformance", shared: true },
  { root: "packages/testbed", redis: true },
  { root: "apps/demo", redis: true, alone: true, globalSetup: "../../packages/testbed/src/setup.ts" },
  { root: "apps/bench", redis: true },
  { root: "docs", shared: true },
];

// Failovers, split brain, a soak, ten million keys: too long for every run.
const faults: typeof projects = [{ root: "packages/backend-memory" }, { root: "packages/backend-redis", redis: true, alone: true }];
const isFaults = process.env["TEST_FAULTS"] !== undefined;

// .ci/run reads its closing line from this file.
const report = process.env["VITEST_REPORT"];

/** Starts the files that take longest first, so that none of them still runs when all others are done. Vitest knows them only after a first run. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => /(attack|resilient|http-suite|programs)\.test\.ts$/.test(moduleId);
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  plugins: [lua],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [isFaults ? "test-faults/**/*.test.ts" : "test/**/*.test.ts"],
    pool: "forks",
    // Most of the time of the tests is spent waiting for timers, so four files at a time fit on two cores. Vitest would run one there.
    maxWorkers: Math.max(4, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    setupFiles: [`${import.meta.dirname}/vitest.setup.ts`],
    testTimeout: 20_000,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    projects: (isFaults ? faults : projects).map(({ root, redis, alone, shared, ...test }, i) => ({
      extends: true,
      root,
      test: {
        name: `${redis ? "redis:" : ""}${root.slice(root.lastIndexOf("/") + 1)}`,
        ...test,
        isolate: !shared || process.env["TEST_SHIPPED"] !== undefined,
        ...(alone && { sequence: { groupOrder: 1 + i }, maxWorkers: 1 }),
      },
    })),
  },
});
