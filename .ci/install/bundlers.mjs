// Bundles that run. Express comes from CommonJS, so that a bundler meets our packages next to something that has only that.
import { printed, sourcesOf } from "./programs.mjs";

/** @typedef {import("./scenarios.mjs").Scenario} Scenario */

const sources = sourcesOf("express");

/** Rollup leaves packages alone unless it is told how to find them, and frameworks are left alone because Rollup does not like CommonJS. */
const rollupConfig = `
import { nodeResolve } from "@rollup/plugin-node-resolve";
export default { input: "esm.mjs", output: { file: "out.mjs" }, external: [/^express$/, /^node:/], plugins: [nodeResolve()] };
`;

/** Minifying all of Express takes five times as long as bundling it. */
const webpackConfig = (/** @type {string} */ entry) =>
  `module.exports = { mode: "production", optimization: { minimize: false }, target: "node", entry: "./${entry}", output: { path: __dirname, filename: "out.cjs" } };\n`;

const webpackRun = `
require("webpack")(require("./webpack.config.cjs"), (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString());
});
`;

/** A bundler that meets both `import` and `require` puts both builds into the bundle. */
const bothCopies = `
import { RateLimitError as Imported, RateLimiter } from "@ratelimit/core";
import { sharedMemoryBackend } from "@ratelimit/backend-memory";
const core = require("@ratelimit/core");
const memory = require("@ratelimit/backend-memory");
const policy = { rate: 2, period: 60, name: "api" };
const one = new RateLimiter({ ...policy, backend: sharedMemoryBackend() });
const other = new core.RateLimiter({ ...policy, backend: memory.sharedMemoryBackend() });
const left = [one, other, one].map((limiter) => limiter.checkSync("key").allowed);
const error = new core.RateLimitError("INVALID_KEY", "") instanceof Imported;
console.log(core.RateLimiter === RateLimiter ? "one copy" : "two copies", left.join(), error);
`;

/** @type {readonly Scenario[]} */
export const bundled = [
  {
    name: "esbuild, ES modules",
    files: { "esm.mjs": sources["esm.mjs"] },
    commands: ["esbuild esm.mjs --bundle --platform=node --outfile=out.cjs", "node out.cjs"],
    prints: printed,
  },
  {
    name: "esbuild, CommonJS",
    files: { "cjs.cjs": sources["cjs.cjs"] },
    commands: ["esbuild cjs.cjs --bundle --platform=node --outfile=out.cjs", "node out.cjs"],
    prints: printed,
  },
  {
    name: "esbuild, both builds in one bundle",
    files: { "both.mjs": bothCopies },
    commands: ["esbuild both.mjs --bundle --platform=node --outfile=out.cjs", "node out.cjs"],
    prints: "two copies true,true,false true",
  },
  ...Object.entries({ "ES modules": "esm.mjs", CommonJS: "cjs.cjs" }).map(([kind, entry]) => ({
    name: `webpack, ${kind}`,
    files: {
      [entry]: sources[/** @type {keyof typeof sources} */ (entry)],
      "webpack.config.cjs": webpackConfig(entry),
      "build.cjs": webpackRun,
    },
    commands: ["node build.cjs", "node out.cjs"],
    prints: printed,
  })),
  {
    name: "rollup",
    files: { "esm.mjs": sources["esm.mjs"], "rollup.config.mjs": rollupConfig },
    commands: ["rollup --config rollup.config.mjs", "node out.mjs"],
    prints: printed,
  },
  ...Object.entries({ "ES modules": "esm.mjs", CommonJS: "cjs.cjs" }).map(([kind, entry]) => ({
    name: `ncc, ${kind}`,
    files: { [entry]: sources[/** @type {keyof typeof sources} */ (entry)] },
    commands: [`ncc build ${entry} --quiet --out out`, "node out/index.*"],
    prints: printed,
  })),
];
