// Installs one public package by itself, as npm would for a user: what it brings is exactly what its row names, every entry point loads with
// import and with require, and every adapter serves requests from ES modules, from CommonJS and from TypeScript.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { npmInstall, run, tarball, temp, write } from "../sandbox.mjs";
import { printed, programs, sourcesOf } from "./programs.mjs";

/** @typedef {{ folder: string, ours: readonly string[], others: readonly string[] }} Row */
/** @typedef {{ name: string, exports: Record<string, unknown>, bin?: Record<string, string>, peerDependencies?: Record<string, string>, peerDependenciesMeta?: Record<string, { optional?: boolean }> }} Manifest */

/** What the parser, the progress bar, the tables, the charts and the Redis client of the command line bring along. */
const cliBrings =
  "@colors/colors @ioredis/commands ansi-regex cli-progress cli-table3 cluster-key-slot commander d3-array d3-color d3-format d3-interpolate d3-scale d3-time d3-time-format debug denque emoji-regex internmap ioredis is-fullwidth-code-point ms picocolors redis-errors standard-as-callback string-width strip-ansi".split(
    " ",
  );

/**
 * What an install without peers brings besides the package itself: packages of ours, and of others.
 * @type {readonly Row[]}
 */
export const rows = [
  { folder: "core", ours: [], others: [] },
  { folder: "backend-memory", ours: ["core"], others: [] },
  { folder: "backend-redis", ours: ["core"], others: [] },
  { folder: "express", ours: ["backend-memory", "core"], others: [] },
  { folder: "fastify", ours: ["backend-memory", "core"], others: ["fastify-plugin"] },
  { folder: "koa", ours: ["backend-memory", "core"], others: [] },
  { folder: "fetch", ours: ["backend-memory", "core"], others: [] },
  { folder: "otel", ours: ["core"], others: [] },
  { folder: "conformance", ours: ["core"], others: ["fast-check", "pure-rand"] },
  { folder: "cli", ours: ["backend-redis", "core"], others: cliBrings },
];

/** Nobody gets one of these without asking for it: they come as a peer or not at all. */
const onlyAsPeers = ["@opentelemetry/api", "express", "fastify", "ioredis", "koa"];

/** Without it, `require` in Node loads the ES modules. With it, Node loads what older tools load: the CommonJS build. */
const commonJs = "--no-experimental-require-module";

const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));
const compilerOptions = "--ignoreConfig --strict --target es2023 --esModuleInterop --types node --skipLibCheck false --module".split(" ");

/** @param {Row} row */
export async function installAlone({ folder, ours, others }) {
  const name = `@ratelimit/${folder}`;
  const home = join(temp, folder);
  mkdirSync(home);
  write(home, { "package.json": '{ "private": true }\n' });

  await npmInstall(home, ["--legacy-peer-deps", ...[folder, ...ours].map(tarball)]);
  const wanted = [folder, ...ours].map((one) => `@ratelimit/${one}`).concat(others);
  const landed = installed(home);
  if (landed.join() !== wanted.sort().join()) throw new Error(`${name} should bring ${wanted.join(", ")}; it brought ${landed.join(", ")}`);

  const {
    exports,
    bin = {},
    peerDependencies = {},
    peerDependenciesMeta = {},
  } = manifest(join(home, "node_modules", name, "package.json"));
  if (JSON.stringify(exports).includes("@ratelimit/source")) throw new Error(`${name} should not have the condition that leads to sources`);
  const peers = Object.entries(peerDependencies).filter(([peer]) => !peerDependenciesMeta[peer]?.optional);
  if (peers.length > 0)
    await npmInstall(
      home,
      peers.map((peer) => peer.join("@")),
    );
  const uninvited = onlyAsPeers.filter((one) => !(one in peerDependencies || others.includes(one)) && installed(home).includes(one));
  if (uninvited.length > 0) throw new Error(`${name} with its peers should not bring ${uninvited.join(", ")}`);

  const entries = Object.keys(exports).filter((subpath) => !/\.(json|md)$/.test(subpath));
  await load(
    home,
    entries.map((entry) => name + entry.slice(1)),
  );
  if (peers.length === 0) await compileDeclarations(home, entries, name);
  for (const command of Object.keys(bin)) await run(join(home, "node_modules/.bin", command), ["--version"], home);
  const served = await serve(folder, home);
  const brought = landed.filter((one) => one !== name);
  return [
    name,
    brought.length > 8 ? `${brought.length} packages` : brought.join(", ") || "nothing",
    peers.map(([peer]) => peer).join(", ") || "none",
    [...entries.map((entry) => `${entry} imports and requires`), ...Object.keys(bin).map((command) => `${command} runs`)].join(", ") +
      served,
  ];
}

/**
 * Loads every entry point with `import` and `require`: in Node these are one instance. The CommonJS build has the same names.
 * @param {string} home
 * @param {readonly string[]} specifiers
 */
async function load(home, specifiers) {
  const names = "(module) => Object.keys(module).filter((name) => name !== 'module.exports').sort().join()";
  const same = `
    for (const specifier of ${JSON.stringify(specifiers)}) {
      const [imported, required] = [await import(specifier), require(specifier)];
      for (const name of Object.keys(imported)) if (imported[name] !== required[name]) throw new Error(specifier + " has two copies of " + name);
      console.log((${names})(imported));
    }`;
  const asEsm = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url); ${same}`;
  const asCommonJs = `for (const specifier of ${JSON.stringify(specifiers)}) console.log((${names})(require(specifier)));`;
  const [imported, required] = [
    await run("node", ["--input-type=module", "--eval", asEsm], home),
    await run("node", [commonJs, "--input-type=commonjs", "--eval", asCommonJs], home),
  ];
  if (imported !== required) throw new Error(`The CommonJS build should have the names\n${imported}but has\n${required}`);
}

/**
 * Type-checks the declarations of a package that asks for nothing else: they must need nothing else, such as a Redis client.
 * @param {string} home
 * @param {readonly string[]} entries
 * @param {string} name
 */
async function compileDeclarations(home, entries, name) {
  await npmInstall(home, ["--save-dev", "@types/node@20"]);
  write(home, { "all.mts": entries.map((entry, i) => `export * as _${i} from "${name + entry.slice(1)}";\n`).join("") });
  await run("node", [compiler, ...compilerOptions, "nodenext", "all.mts"], home);
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
  write(home, sourcesOf(folder));
  await run("node", [compiler, ...compilerOptions, "nodenext", "typed.mts"], home);
  await run("node", [compiler, ...compilerOptions, "node16", "typed.cts"], home);
  for (const args of [["esm.mjs"], ["cjs.cjs"], [commonJs, "cjs.cjs"], ["typed.mjs"], ["typed.cjs"], [commonJs, "typed.cjs"]]) {
    const output = await run("node", args, home);
    if (output.trim() !== printed)
      throw new Error(`${args.join(" ")} of @ratelimit/${folder} should print "${printed}"; it printed "${output.trim()}"`);
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

/** @param {string} path */
function manifest(path) {
  return /** @type {Manifest} */ (JSON.parse(readFileSync(path, "utf8")));
}
