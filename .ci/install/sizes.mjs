// What the packages weigh: installed, and in a bundle, minified and gzipped. A weight above its budget fails.
import { readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** @typedef {(options: object) => Promise<{ outputFiles: { contents: Uint8Array }[] }>} Build */

/**
 * The budgets, in bytes. If a goal was missed, the budget is a little more than what was measured, and `goal` is what it should be.
 * `code` is what the bundle contains; without it, the weight is the installed size of core.
 * @typedef {{ name: string, code?: string, budget: number, goal?: number }} Weight
 * @type {readonly Weight[]}
 */
export const weights = [
  { name: "core, installed", budget: 367_000, goal: 250_000 },
  {
    name: "RateLimiter and definePolicy",
    code: `export { definePolicy, RateLimiter } from "@ratelimit/core";`,
    budget: 11_450,
    goal: 8000,
  },
  {
    name: "RateLimiter, definePolicy and MemoryBackend",
    code: `export { definePolicy, RateLimiter } from "@ratelimit/core"; export { MemoryBackend } from "@ratelimit/backend-memory";`,
    budget: 15_050,
  },
  { name: "clientIp", code: `export { clientIp } from "@ratelimit/core/http";`, budget: 3000 },
  { name: "express and all it needs of ours", code: `export * from "@ratelimit/express";`, budget: 26_400, goal: 14_000 },
  { name: "fastify and all it needs of ours", code: `export * from "@ratelimit/fastify";`, budget: 29_300, goal: 14_000 },
  { name: "koa and all it needs of ours", code: `export * from "@ratelimit/koa";`, budget: 26_400, goal: 14_000 },
  { name: "fetch and all it needs of ours", code: `export * from "@ratelimit/fetch";`, budget: 26_600, goal: 14_000 },
];

/**
 * @param {string} project where the packages and esbuild are installed
 * @param {Weight} weight
 */
export async function weigh(project, { name, code, budget, goal }) {
  const bytes = code === undefined ? installed(join(project, "node_modules/@ratelimit/core")) : await bundled(project, code);
  if (bytes > budget) throw new Error(`${name}: ${bytes} bytes, more than the budget of ${budget}`);
  return [name, kb(bytes), kb(budget) + (goal === undefined ? "" : `; the goal is ${kb(goal)}`)];
}

/** @param {string} folder */
function installed(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => statSync(join(folder, file)))
    .reduce((bytes, file) => bytes + (file.isFile() ? file.size : 0), 0);
}

/**
 * Bundles without the framework and without what Node has built in.
 * @param {string} project
 * @param {string} code
 */
async function bundled(project, code) {
  const { build } = /** @type {{ build: Build }} */ (createRequire(join(project, "package.json"))("esbuild"));
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: project },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "node",
    external: ["express", "fastify", "koa"],
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

/** @param {number} bytes */
function kb(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
