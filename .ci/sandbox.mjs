// A temporary folder, and the programs that run in it to their end, also if the check is interrupted.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export const temp = mkdtempSync(join(tmpdir(), "ratelimit-ci-"));
export const stop = new AbortController();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.once(signal, () => stop.abort(new Error(signal)));
process.once("exit", () => rmSync(temp, { recursive: true, force: true }));

/**
 * Where the packed package of a folder is.
 * @param {string} folder
 */
export function tarball(folder) {
  return join(temp, `${folder}.tgz`);
}

/**
 * Makes a folder with these files.
 * @param {string} home
 * @param {Readonly<Record<string, string>>} files
 */
export function write(home, files) {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(home, file)), { recursive: true });
    writeFileSync(join(home, file), text);
  }
}

/**
 * @param {string} home
 * @param {readonly string[]} what
 */
export function npmInstall(home, what) {
  return run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", ...what], home);
}

/**
 * Runs a program and returns what it printed. Throws if it fails.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} cwd
 * @param {Readonly<Record<string, string>>} [env]
 */
export async function run(program, args, cwd, env = {}) {
  stop.signal.throwIfAborted();
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const kill = () => child.kill();
  stop.signal.addEventListener("abort", kill);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = /** @type {[number | null]} */ (await once(child, "close"));
  stop.signal.removeEventListener("abort", kill);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}\n${output}`);
  return output;
}

/**
 * Does all jobs, as many at a time as there are workers, and returns the results in order. A failure does not stop the others.
 * @template Job, Result
 * @param {readonly Job[]} jobs
 * @param {(job: Job) => Promise<Result>} work
 * @param {number} [workers]
 * @returns {Promise<PromiseSettledResult<Result>[]>}
 */
export async function all(jobs, work, workers = 3) {
  /** @type {PromiseSettledResult<Result>[]} */
  const settled = [];
  const queue = jobs.entries();
  const worker = async () => {
    for (const [i, job] of queue) [settled[i]] = /** @type {[PromiseSettledResult<Result>]} */ (await Promise.allSettled([work(job)]));
  };
  await Promise.all(Array.from({ length: workers }, worker));
  stop.signal.throwIfAborted();
  return settled;
}
