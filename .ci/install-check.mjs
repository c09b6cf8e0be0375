// Packs every public package and installs each one alone into an empty folder, as npm would for a user:
// what lands there is exactly what its row names, every entry loads with import and with require, the maps of the code lead to its
// sources, and every adapter serves requests from ES modules, from CommonJS and from TypeScript.
// Run it as `pnpm install:check`, which builds first and has pnpm on the PATH.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { printed, programs, sourcesOf } from "./programs.mjs";

/** @typedef {{ folder: string, ours: readonly string[], others: readonly string[] }} Row */
/** @typedef {{ name: string, private?: boolean, exports: Record<string, unknown>, peerDependencies?: Record<string, string>, peerDependenciesMeta?: Record<string, { optional?: boolean }> }} Manifest */

/**
 * What an install without peers brings besides the package itself: packages of ours, and of others.
 * @type {readonly Row[]}
 */
const rows = [
  { folder: "core", ours: [], others: [] },
  { folder: "backend-memory", ours: ["core"], others: [] },
  { folder: "backend-redis", ours: ["core"], others: [] },
  { folder: "express", ours: ["backend-memory", "core"], others: [] },
  { folder: "fastify", ours: ["backend-memory", "core"], others: ["fastify-plugin"] },
  { folder: "koa", ours: ["backend-memory", "core"], others: [] },
];

// Nobody gets one of these who did not ask for it: they come as a peer or not at all.
const onlyAsPeers = ["express", "fastify", "ioredis", "koa"];

const packages = fileURLToPath(new URL("../packages/", import.meta.url));
const temp = mkdtempSync(join(tmpdir(), "ratelimit-install-"));
const stop = new AbortController();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.once(signal, () => stop.abort(new Error(signal)));

try {
  checkRows();
  const present = rows.filter(({ folder }) => existsSync(join(packages, folder)));
  for (const { folder } of present) await run("pnpm", ["pack", "--out", tarball(folder)], join(packages, folder));
  const settled = await Promise.allSettled(present.map(check));
  stop.signal.throwIfAborted();
  const failures = settled.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
  print(settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
  for (const failure of failures) console.error(failure);
  process.exitCode = failures.length > 0 ? 1 : 0;
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  rmSync(temp, { recursive: true, force: true });
}

/** Every public package has a row, so that a new one cannot be forgotten. */
function checkRows() {
  for (const folder of readdirSync(packages)) {
    const path = join(packages, folder, "package.json");
    if (!existsSync(path) || manifest(path).private) continue;
    if (!rows.some((row) => row.folder === folder)) throw new Error(`packages/${folder} has no row in .ci/install-check.mjs`);
  }
}

/**
 * Installs one package without its peers, then with them, and loads its entries.
 * @param {Row} row
 */
async function check({ folder, ours, others }) {
  const name = `@ratelimit/${folder}`;
  const home = join(temp, folder);
  mkdirSync(home);
  writeFileSync(join(home, "package.json"), '{ "private": true }\n');

  await npmInstall(home, ["--legacy-peer-deps", ...[folder, ...ours].map(tarball)]);
  const wanted = [folder, ...ours].map((one) => `@ratelimit/${one}`).concat(others);
  const landed = installed(home);
  if (landed.join() !== wanted.sort().join()) throw new Error(`${name} should bring ${wanted.join(", ")}; it brought ${landed.join(", ")}`);

  const { exports, peerDependencies = {}, peerDependenciesMeta = {} } = manifest(join(home, "node_modules", name, "package.json"));
  const peers = Object.entries(peerDependencies).filter(([peer]) => !peerDependenciesMeta[peer]?.optional);
  if (peers.length > 0)
    await npmInstall(
      home,
      peers.map((peer) => peer.join("@")),
    );
  const uninvited = onlyAsPeers.filter((one) => !(one in peerDependencies) && installed(home).includes(one));
  if (uninvited.length > 0) throw new Error(`${name} with its peers should not bring ${uninvited.join(", ")}`);

  const entries = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
  for (const entry of entries) {
    const specifier = JSON.stringify(name + entry.slice(1));
    await run("node", ["--input-type=module", "--eval", `await import(${specifier})`], home);
    await run("node", ["--input-type=commonjs", "--eval", `require(${specifier})`], home);
  }
  checkMaps(name, join(home, "node_modules", name, "dist"));
  const served = await serve(folder, home);
  const brought = landed.filter((one) => one !== name);
  return [
    name,
    brought.join(", ") || "nothing",
    peers.map(([peer]) => peer).join(", ") || "none",
    `${entries.join(" ")} import and require${served}`,
  ];
}

/**
 * Every map of the code leads to sources that were installed with it, so that debuggers and stack traces show them.
 * @param {string} name
 * @param {string} dist
 */
function checkMaps(name, dist) {
  const maps = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js.map"));
  if (maps.length === 0) throw new Error(`${name} should bring maps of its code; it brought none`);
  for (const map of maps.map((file) => join(dist, file))) {
    const { sources } = /** @type {{ sources: string[] }} */ (JSON.parse(readFileSync(map, "utf8")));
    const lost = sources.filter((source) => !existsSync(join(dirname(map), source)));
    if (lost.length > 0) throw new Error(`${map} leads to ${lost.join(", ")}, which ${name} should have brought`);
  }
}

/**
 * Runs what a user of an adapter would write first.
 * @param {string} folder
 * @param {string} home
 */
async function serve(folder, home) {
  const program = programs[folder];
  if (program === undefined) return "";
  await npmInstall(home, ["--save-dev", "@types/node@20", ...program.types]);
  for (const [file, text] of Object.entries(sourcesOf(folder, program))) writeFileSync(join(home, file), text);
  const compiler = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
  const options = [
    "--ignoreConfig",
    "--strict",
    "--target",
    "es2023",
    "--module",
    "nodenext",
    "--types",
    "node",
    "--skipLibCheck",
    "false",
  ];
  await run("node", [compiler, ...options, "typed.mts"], home);
  for (const file of ["esm.mjs", "cjs.cjs", "typed.mjs"]) {
    const output = await run("node", [file], home);
    if (output.trim() !== printed)
      throw new Error(`${file} of @ratelimit/${folder} should print "${printed}"; it printed "${output.trim()}"`);
  }
  return "; serves from ESM, CJS and TypeScript";
}

/**
 * The path of every package below node_modules, as npm recorded it; a nested copy shows as `a/node_modules/b`.
 * @param {string} home
 */
function installed(home) {
  const lock = /** @type {{ packages: object }} */ (JSON.parse(readFileSync(join(home, "node_modules/.package-lock.json"), "utf8")));
  return Object.keys(lock.packages)
    .map((path) => path.slice("node_modules/".length))
    .sort();
}

/**
 * @param {string} home
 * @param {readonly string[]} what
 */
function npmInstall(home, what) {
  return run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...what], home);
}

/** @param {string} folder */
function tarball(folder) {
  return join(temp, `${folder}.tgz`);
}

/** @param {string} path */
function manifest(path) {
  return /** @type {Manifest} */ (JSON.parse(readFileSync(path, "utf8")));
}

/**
 * Runs a program to its end, also when stopped, so that nothing writes into a folder that is being removed.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} cwd
 */
async function run(program, args, cwd) {
  stop.signal.throwIfAborted();
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const kill = () => child.kill();
  stop.signal.addEventListener("abort", kill);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = /** @type {[number | null]} */ (await once(child, "close"));
  stop.signal.removeEventListener("abort", kill);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}\n${output}`);
  return output;
}

/** @param {readonly string[][]} table */
function print(table) {
  const lines = [["package", "brings", "peers", "entries"], ...table];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  for (const cells of lines) console.log(cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
}
