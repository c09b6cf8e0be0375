import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { conditions } from "./packages/testbed/src/conditions.ts";
import { lua } from "./packages/testbed/src/lua-plugin.ts";

interface Project {
  readonly root: string;
  /** Its tests need a Redis server, so its name begins with "redis:". */
  readonly redis?: true;
  /** It has the files in `test/timed`, and all others are in a project without this. */
  readonly timed?: true;
  /** Its files run in the same processes, which saves their start. vitest.setup.ts loads the sources anew for each file. */
  readonly shared?: true;
  /** How many of its files run at once, after all projects that do not say. */
  readonly workers?: number;
  readonly globalSetup?: string;
}

// One row per folder that has tests. The last part of its path is the project's name.
//
// Tests in `test/timed` compare decisions with the clock, and on a machine of two cores they would measure their neighbors too. So their
// files run alone, one after the other. Within a file they wait more than they work, so many of them run at once.
const projects: readonly Project[] = [
  { root: "packages/core", shared: true },
  { root: "packages/backend-memory", shared: true },
  { root: "packages/backend-redis", redis: true, globalSetup: "../testbed/src/setup.ts" },
  { root: "packages/backend-redis", redis: true, timed: true, workers: 1, globalSetup: "../testbed/src/setup.ts" },
  { root: "packages/express", shared: true },
  { root: "packages/fastify", shared: true },
  { root: "packages/koa", shared: true },
  { root: "packages/fetch", shared: true },
  { root: "packages/otel", redis: true },
  { root: "packages/cli", redis: true, globalSetup: "test/support/setup.ts" },
  { root: "packages/conformance", shared: true },
  { root: "packages/testbed", redis: true },
  { root: "apps/demo", redis: true, workers: 2, globalSetup: "../../packages/testbed/src/setup.ts" },
  { root: "apps/bench", redis: true },
  { root: "apps/docs-site", shared: true },
  { root: "docs", shared: true },
];

// Failovers, split brain, a soak, ten million keys: too long for every run.
const faults: readonly Project[] = [{ root: "packages/backend-memory" }, { root: "packages/backend-redis", redis: true, workers: 1 }];
const isFaults = process.env["TEST_FAULTS"] !== undefined;
const isShipped = process.env["TEST_SHIPPED"] !== undefined;

// .ci/run reads its closing line from this file.
const report = process.env["VITEST_REPORT"];

function nameOf({ root, redis, timed }: Project): string {
  return `${redis ? "redis:" : ""}${root.slice(root.lastIndexOf("/") + 1)}${timed ? ":timed" : ""}`;
}

/** Starts the files that take longest first, so that none of them still runs when all others are done. Vitest knows them only after a first run. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      /(attack|site|give-back|conformance|differential|http-suite|programs)\.test\.ts$/.test(moduleId);
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  plugins: [lua],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: "forks",
    // Most of the time of the tests is spent waiting for timers, so four files at a time fit on two cores. Vitest would run one there.
    maxWorkers: Math.max(4, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    setupFiles: [`${import.meta.dirname}/vitest.setup.ts`],
    testTimeout: 20_000,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    projects: (isFaults ? faults : projects).map((project, i) => {
      const { root, timed, shared, workers, globalSetup } = project;
      const folder = isFaults ? "test-faults" : "test";
      return {
        extends: true as const,
        root,
        test: {
          name: nameOf(project),
          include: timed ? ["test/timed/**/*.test.ts"] : [`${folder}/*.test.ts`, `${folder}/!(timed)/**/*.test.ts`],
          ...(globalSetup !== undefined && { globalSetup }),
          ...(timed && { maxConcurrency: 8 }),
          // A shared machine can stall for half a second, and then a test that compares times fails. Seeds do not change between tries.
          retry: timed || isFaults ? 2 : 0,
          // What is built cannot be loaded anew for each file.
          isolate: !shared || isShipped,
          ...(workers !== undefined && { sequence: { groupOrder: 1 + i }, maxWorkers: workers }),
        },
      };
    }),
  },
});
