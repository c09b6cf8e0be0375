// Plants the bugs of mutants.mjs, one at a time, and runs the quick tests of what they are in. Each must be caught.
// Prints which test caught it. Nothing on disk changes, so there is nothing to restore after an interrupt.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mutants } from "./mutants.mjs";

/** @typedef {{ numPassedTests: number, numFailedTests: number, testResults: { assertionResults: { status: string, title: string }[] }[] }} Report */

const root = fileURLToPath(new URL("..", import.meta.url));
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const temp = mkdtempSync(join(tmpdir(), "ratelimit-mutate-"));

const suites = {
  memory: ["--project", "core", "--project", "backend-memory", "policy/", "lease/", "backend/memory", "test/conformance"],
  lua: ["--project", "redis:backend-redis", "test/lua/", "topologies/standalone"],
};

/** @type {import("node:child_process").ChildProcess | undefined} */
let running;
let isStopped = false;
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"]))
  process.on(signal, () => {
    isStopped = true;
    running?.kill("SIGINT");
  });

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  rmSync(temp, { recursive: true, force: true });
}

async function main() {
  for (const { file, from } of mutants) {
    const found = readFileSync(join(root, file), "utf8").split(from).length - 1;
    if (found !== 1) throw new Error(`${file} contains ${JSON.stringify(from)} ${found} times; a mutant must occur once`);
  }
  // Without a mutant, all of the tests pass. Otherwise a failure would prove nothing.
  for (const suite of Object.values(suites)) {
    const { numPassedTests, numFailedTests } = await run(suite, "none");
    if (numFailedTests > 0 || numPassedTests === 0) throw new Error(`The tests fail without a mutant: ${suite.join(" ")}`);
    console.log(`${numPassedTests} tests pass without a mutant`);
  }
  const width = Math.max(...mutants.map(({ what }) => what.length));
  let caught = 0;
  for (const [i, { what, file }] of mutants.entries()) {
    const start = performance.now();
    const { testResults } = await run(file.endsWith(".lua") ? suites.lua : suites.memory, String(i));
    const failed = testResults.flatMap(({ assertionResults }) => assertionResults).find(({ status }) => status === "failed");
    if (failed !== undefined) caught++;
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    console.log(`${what.padEnd(width)}  ${failed === undefined ? "NOT CAUGHT" : `caught in ${seconds} s by: ${failed.title}`}`);
  }
  console.log(`${caught} of ${mutants.length} mutants caught`);
  return caught === mutants.length;
}

/**
 * Runs tests until the first failure.
 * @param {readonly string[]} suite
 * @param {string} mutant
 * @returns {Promise<Report>}
 */
async function run(suite, mutant) {
  if (isStopped) throw new Error("Interrupted");
  const report = join(temp, `${mutant}.json`);
  rmSync(report, { force: true });
  const args = [vitest, "run", "--config", ".ci/mutate.config.mjs", "--bail", "1", "--reporter", "json", "--outputFile", report, ...suite];
  // Always the same random values, so that the outcome is the same as well.
  const env = { ...process.env, MUTANT: mutant, FAST_CHECK_SEED: "20261124" };
  // In a group of its own, so that an interrupt reaches it once, and it stops its Redis servers in order.
  running = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let output = "";
  for (const stream of [running.stdout, running.stderr]) stream?.setEncoding("utf8").on("data", (text) => (output += text));
  await once(running, "close");
  if (isStopped) throw new Error("Interrupted");
  try {
    return /** @type {Report} */ (JSON.parse(readFileSync(report, "utf8")));
  } catch (cause) {
    throw new Error(`The tests did not run:\n${output}`, { cause });
  }
}
