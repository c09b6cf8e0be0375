/** Vitest runs both suites in the files beside this one; here, `node:test` and Jest do, each in its own process. */
import { type ExecFileException, execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Bundle, bundle } from "@ratelimit/testbed/bundle";
import { afterAll, beforeAll, expect, test } from "vitest";
import { backendRequirements, httpRequirements } from "../src/index.ts";
import { answersWrongly } from "./broken-answers.ts";
import { brokenBackends } from "./broken-backends.ts";
import { judgesWrongly } from "./broken-judging.ts";
import { readsWrongly } from "./broken-reading.ts";

const folder = join(import.meta.dirname, "..");
const jest = join(dirname(createRequire(import.meta.url).resolve("jest/package.json")), "bin/jest.js");
const isBuilt = process.env["TEST_SHIPPED"] !== undefined;
const leftOut = isBuilt ? [] : httpRequirements.filter(({ name }) => name.startsWith("two copies of core"));
const tests = [
  backendRequirements,
  httpRequirements.filter((requirement) => !leftOut.includes(requirement)),
  brokenBackends,
  answersWrongly,
  judgesWrongly,
  readsWrongly,
].flat().length;

const programs: Bundle[] = [];
afterAll(() => Promise.all(programs.map((program) => program[Symbol.asyncDispose]())));

async function bundled(name: string): Promise<string> {
  const program = await bundle(join(import.meta.dirname, "programs", name), { folder, inside: [/^@ratelimit\//] });
  programs.push(program);
  return program.path;
}

beforeAll(() => {
  process.env["FAST_CHECK_SEED"] ??= "20261124";
  for (const { name } of leftOut)
    process.stdout.write(`Left out in node:test and Jest, because it needs the built packages (pnpm test): ${name}\n`);
});

test("node:test runs both suites, and sees every broken backend and adapter caught", { timeout: 120_000 }, async () => {
  const output = await run(["--test", "--test-reporter=tap", await bundled("in-node-test.ts")], {});
  expect(output).toMatch(new RegExp(`^# pass ${tests}$`, "m"));
  expect(output).toMatch(/^# fail 0$/m);
});

test("Jest runs both suites, and sees every broken backend and adapter caught", { timeout: 120_000 }, async () => {
  const path = await bundled("in-jest.ts");
  const config = { rootDir: dirname(path), testMatch: ["**/program.mjs"], testEnvironment: "node", transform: {} };
  const output = await run([jest, "--config", JSON.stringify(config), "--runInBand", "--no-cache"], {
    NODE_OPTIONS: "--experimental-vm-modules --no-warnings",
  });
  expect(output).toMatch(new RegExp(`^Tests: +${tests} passed, ${tests} total$`, "m"));
});

/** Runs Node to its end, and returns all that it printed, even if it failed. */
function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve) => {
    const done = (_: ExecFileException | null, stdout: string, stderr: string): void => resolve(stdout + stderr);
    execFile(process.execPath, args, { cwd: folder, env: { ...process.env, NODE_ENV: "test", ...env }, maxBuffer: 2 ** 26 }, done);
  });
}
