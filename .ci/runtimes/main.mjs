// Runs a small program in every runtime, with the packed packages, and compares what worked with the table in the README. `--write` writes
// the table. Run it as `pnpm runtimes:check`, which builds first.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rows } from "../install/alone.mjs";
import { printed, programs, sourcesOf } from "../install/programs.mjs";
import { tools } from "../install/tools.mjs";
import { npmInstall, run, stop, tarball, temp, write } from "../sandbox.mjs";

/** @typedef {{ name: string, package: string, start?: readonly string[], note?: string }} Runtime */

const platform = `${process.platform}-${process.arch}`;

/**
 * Each is a package that contains the program itself, at the end of the path in `start`. Workers have none: workerd serves them.
 * @type {readonly Runtime[]}
 */
const runtimes = [
  ...["20.19.6", "22.23.3", "24.21.0", "26.10.0"].map((version) => ({
    name: `Node ${version}`,
    package: `npm:node-${platform}@${version}`,
    start: ["bin/node"],
  })),
  { name: "Bun 1.4.5", package: `npm:@oven/bun-${platform}@1.4.5`, start: ["bin/bun"] },
  { name: "Deno 2.9.6", package: `npm:@deno/${platform}-glibc@2.9.6`, start: ["deno", "run", "--allow-all"] },
  { name: "Cloudflare Workers (workerd 1.20261117.1)", package: "npm:@cloudflare/workerd-linux-64@1.20261117.1" },
];

const here = fileURLToPath(new URL("programs/", import.meta.url));
const readme = fileURLToPath(new URL("../../README.md", import.meta.url));
const project = join(temp, "project");
/** Built, because Node 20 does not run TypeScript. */
const testbed = String(new URL("../../packages/testbed/dist/index.js", import.meta.url));
const { startStandalone } = /** @type {typeof import("../../packages/testbed/src/standalone.ts")} */ (await import(testbed));
const redis = await startStandalone();

try {
  if (platform !== "linux-x64") throw new Error(`The runtimes are known for linux-x64 only, not for ${platform}`);
  await install();
  /** @type {string[]} */
  const lines = [];
  for (const [i, runtime] of runtimes.entries()) {
    const worked = runtime.start === undefined ? await inWorkerd(`runtime${i}`) : await inRuntime(`runtime${i}`, runtime.start);
    lines.push(
      `| ${runtime.name} | ${["in process", "redis", "adapters"].map((what) => (worked.includes(what) ? "yes" : "no")).join(" | ")} |`,
    );
  }
  compare(["| runtime | in process | Redis | Express, Fastify, Koa |", "| --- | --- | --- | --- |", ...lines].join("\n"));
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  await redis.stop();
}

async function install() {
  const packages = fileURLToPath(new URL("../../packages/", import.meta.url));
  await Promise.all(rows.map(({ folder }) => run("pnpm", ["pack", "--out", tarball(folder)], join(packages, folder))));
  mkdirSync(project);
  write(project, { "package.json": '{ "private": true }\n' });
  const frameworks = ["express", "fastify", "koa", "ioredis", "esbuild"].map((tool) => `${tool}@${tools[tool]}`);
  const binaries = runtimes.map((runtime, i) => `runtime${i}@${runtime.package}`);
  await npmInstall(project, [...rows.map(({ folder }) => tarball(folder)), ...frameworks, ...binaries]);
  cpSync(here, project, { recursive: true });
  for (const folder of Object.keys(programs)) write(project, { [`${folder}.mjs`]: sourcesOf(folder)["esm.mjs"] });
}

/**
 * Returns what worked, of "in process", "redis" and "adapters". What did not is printed.
 * @param {string} folder
 * @param {readonly string[]} start
 */
async function inRuntime(folder, [program = "", ...args]) {
  const binary = join(project, "node_modules", folder, program);
  const worked = (await attempt(() => run(binary, [...args, "script.mjs", redis.url, folder], project))).split("\n");
  const served = await Promise.all(Object.keys(programs).map((name) => attempt(() => run(binary, [...args, `${name}.mjs`], project))));
  return served.every((output) => output.trim() === printed) ? [...worked, "adapters"] : worked;
}

/**
 * Bundles the program and serves it, with `nodejs_compat` and the right to connect to this machine.
 * @param {string} folder
 */
async function inWorkerd(folder) {
  const port = await freePort();
  const require = 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom("file:///worker.mjs");';
  await run(
    "node_modules/.bin/esbuild",
    ["worker.mjs", "--bundle", "--format=esm", "--platform=node", "--outfile=worker.out.mjs", `--banner:js=${require}`],
    project,
  );
  write(project, { "worker.capnp": workerdConfig(port) });
  const workerd = join(project, "node_modules", folder, "bin/workerd");
  const server = spawn(workerd, ["serve", "worker.capnp"], { cwd: project, stdio: ["ignore", "inherit", "inherit"] });
  const kill = () => server.kill();
  stop.signal.addEventListener("abort", kill);
  try {
    return (await attempt(() => ask(`http://127.0.0.1:${port}/`))).split("\n");
  } finally {
    kill();
    if (server.exitCode === null) await once(server, "exit");
  }
}

/** @param {number} port */
function workerdConfig(port) {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.mjs", esModule = embed "worker.out.mjs")],
      compatibilityDate = "2026-06-01",
      compatibilityFlags = ["nodejs_compat"],
      bindings = [(name = "REDIS_URL", text = "${redis.url}")],
      globalOutbound = "network",
    )),
    (name = "network", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`;
}

/**
 * Asks until the server listens, for 10 s at most.
 * @param {string} url
 */
async function ask(url) {
  for (let tries = 0; ; tries++) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @param {() => Promise<string>} work */
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    stop.signal.throwIfAborted();
    console.error(String(error));
    return "";
  }
}

/** @param {string} table */
function compare(table) {
  const [begin, end] = ["<!-- runtimes: pnpm runtimes:check --write -->\n", "\n<!-- end of runtimes -->"];
  const text = readFileSync(readme, "utf8");
  const [before, rest] = text.split(begin);
  const [written, after] = rest?.split(end) ?? [];
  if (written === undefined || after === undefined)
    throw new Error(`README.md should have a table between ${begin.trim()} and ${end.trim()}`);
  console.log(table);
  if (written.trim() === table) return;
  if (!process.argv.includes("--write")) throw new Error("README.md shows another table: run `pnpm runtimes:check --write`");
  writeFileSync(readme, `${before}${begin}\n${table}\n${end}${after}`);
}
