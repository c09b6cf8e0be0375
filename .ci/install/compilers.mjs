// TypeScript in the versions and with the resolutions that people have, for files that are ES modules and files that are CommonJS.
import { printed, sourcesOf } from "./programs.mjs";

/** @typedef {import("./scenarios.mjs").Scenario} Scenario */

/** What each version is installed as. */
export const compilers = { 5.4: "ts54", 5.9: "typescript", 7: "ts7" };

/** The compiler options of a resolution, the kinds of files it has, and whether its output runs as it is. TypeScript 7 has no node10. */
const resolutions = [
  { name: "node10", options: "--module commonjs --moduleResolution node10", kinds: [".cts"], runs: true, until: "5.9" },
  { name: "node10 with ES modules", options: "--module es2022 --moduleResolution node10", kinds: [".mts"], runs: true, until: "5.9" },
  { name: "node16", options: "--module node16 --moduleResolution node16", kinds: [".cts", ".mts"], runs: true },
  { name: "nodenext", options: "--module nodenext --moduleResolution nodenext", kinds: [".cts", ".mts"], runs: true },
  { name: "bundler", options: "--module preserve --moduleResolution bundler", kinds: [".cts", ".mts"], runs: false },
];

/**
 * Uses every entry point. The lines that must not compile show that the types were found, because everything fits `any`.
 * @param {(names: string, from: string) => string} load
 */
const uses = (load) => `
${load("definePolicy, RateLimiter, RateLimitExceeded", "@ratelimit/core")}
${load("BucketTable, resilientRules", "@ratelimit/core/backend")}
${load("createMiddlewares", "@ratelimit/core/adapter")}
${load("clientIp, rateLimitHeaders", "@ratelimit/core/http")}
${load("MemoryBackend", "@ratelimit/backend-memory")}
${load("RedisBackend", "@ratelimit/backend-redis")}
${load("rateLimit: expressLimit", "@ratelimit/express")}
${load("rateLimit: fastifyLimit", "@ratelimit/fastify")}
${load("rateLimit: koaLimit", "@ratelimit/koa")}
const limiter = new RateLimiter({ ...definePolicy({ rate: 1, period: 60 }), backend: new MemoryBackend({ maxKeys: 10 }) });
const { remaining } = limiter.checkSync("key");
const rest: number = remaining;
const address: string = clientIp("192.0.2.1", {}, { trust: false });
void [rest, address, RateLimitExceeded, BucketTable, resilientRules, createMiddlewares, rateLimitHeaders, RedisBackend, expressLimit, fastifyLimit, koaLimit];
// @ts-expect-error
definePolicy({ rate: "1" });
// @ts-expect-error
new BucketTable("many");
// @ts-expect-error
createMiddlewares(1);
// @ts-expect-error
clientIp(1);
// @ts-expect-error
new MemoryBackend({ maxKeys: "many" });
// @ts-expect-error
new RedisBackend({ url: 1 });
// @ts-expect-error
expressLimit({ rate: "1" });
// @ts-expect-error
fastifyLimit(1);
// @ts-expect-error
koaLimit({ rate: "1" });
export {};
`;

const imported = `
${uses((names, from) => `import { ${names.replace(/: /g, " as ")} } from "${from}";`)}
import fastifyPlugin from "@ratelimit/fastify";
const plugin: typeof fastifyLimit = fastifyPlugin;
void plugin;
`;
/** TypeScript resolves `import = require()` as CommonJS even in `preserve`, where it takes `import` for an ES module everywhere. */
const required = uses((names, from) => {
  const local = `from_${from.replace(/\W/g, "_")}`;
  return `import ${local} = require("${from}"); const { ${names} } = ${local};`;
});

/** A limiter from a CommonJS file. */
const madeAsCommonJs = `
import core = require("@ratelimit/core");
import memory = require("@ratelimit/backend-memory");
export const made = new core.RateLimiter({ rate: 1, backend: new memory.MemoryBackend() });
`;
/** Both builds have the same types, so an ES module accepts that limiter. */
const acceptedAsModule = `
import { RateLimiter } from "@ratelimit/core";
import { made } from "./made.cjs";
export const accepted: RateLimiter = made;
`;

/** @type {readonly Scenario[]} */
export const compiled = Object.entries(compilers).flatMap(([version, folder]) =>
  resolutions.filter(({ until }) => until === undefined || version <= until).map((resolution) => scenario(version, folder, resolution)),
);

/**
 * @param {string} version
 * @param {string} folder
 * @param {typeof resolutions[number]} resolution
 * @returns {Scenario}
 */
function scenario(version, folder, { name, options, kinds, runs }) {
  const sources = sourcesOf("express");
  const files = {
    ...(kinds.includes(".cts") && {
      "uses.cts": name === "bundler" ? required : imported,
      ...(runs && { "typed.cts": sources["typed.cts"] }),
    }),
    ...(kinds.includes(".mts") && { "uses.mts": imported, "typed.mts": sources["typed.mts"] }),
    ...(kinds.length > 1 && { "made.cts": madeAsCommonJs, "accepted.mts": acceptedAsModule }),
  };
  const flags = `--strict --target es2022 --esModuleInterop --types node --skipLibCheck ${options}`;
  const outputs = runs ? kinds.map((extension) => `typed${extension.replace("t", "j")}`) : [];
  return {
    name: `TypeScript ${version}, ${name}`,
    files,
    commands: [
      `node ../node_modules/${folder}/bin/tsc ${flags} ${Object.keys(files).join(" ")}`,
      ...outputs.map((output) => `node ${output}`),
    ],
    prints: runs ? Array(outputs.length).fill(printed).join("\n") : "",
  };
}
