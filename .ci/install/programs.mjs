// What a user writes first: a server with a limit of one request, which asks itself twice. As JavaScript of both kinds, and as TypeScript.

/** @typedef {{ framework: string, local: string, types: readonly string[], start: string }} Program */

/**
 * By the folder of the adapter. `start` leaves a listening server in `server`.
 * @type {Readonly<Record<string, Program>>}
 */
export const programs = {
  express: {
    framework: "express",
    local: "express",
    types: ["@types/express@5"],
    start: `
  const app = express();
  app.use(rateLimit({ rate: 1, period: 60 }));
  app.get("/", (req, res) => { res.json(req.rateLimit?.remaining); });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");`,
  },
  fastify: {
    framework: "fastify",
    local: "fastify",
    types: [],
    start: `
  const app = fastify();
  await app.register(rateLimit, { rate: 1, period: 60 });
  app.get("/", async (request) => request.rateLimit?.remaining);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { server } = app;`,
  },
  koa: {
    framework: "koa",
    local: "Koa",
    types: ["@types/koa@3"],
    start: `
  const app = new Koa();
  app.use(rateLimit({ rate: 1, period: 60 }));
  app.use((ctx) => { ctx.body = String(ctx.state["rateLimit"]?.remaining); });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");`,
  },
};

/** What each of them prints. */
export const printed = "200 0, 429";

/**
 * Parts of a program: how it loads what it needs, and a function `serve` that resolves to {@link printed}.
 * @param {string} folder
 */
export function parts(folder) {
  const { framework, local, start } = programOf(folder);
  const adapter = `@ratelimit/${folder}`;
  const serve = (/** @type {string} */ type) => `
async function serve() {${start}
  const { port } = server.address()${type};
  const ask = () => fetch("http://127.0.0.1:" + port + "/");
  const [first, second] = [await ask(), await ask()];
  server.close();
  server.closeAllConnections();
  return first.status + " " + (await first.text()) + ", " + second.status;
}
`;
  return {
    imports: `import { once } from "node:events";\nimport ${local} from "${framework}";\nimport { rateLimit } from "${adapter}";\n`,
    requires: `const { once } = require("node:events");\nconst ${local} = require("${framework}");\nconst { rateLimit } = require("${adapter}");\n`,
    serve: serve(""),
    typedServe: `import type { AddressInfo } from "node:net";\n${serve(" as AddressInfo")}`,
  };
}

/**
 * Whole programs that print {@link printed}.
 * @param {string} folder
 * @returns {Record<"esm.mjs" | "cjs.cjs" | "typed.mts" | "typed.cts", string>}
 */
export function sourcesOf(folder) {
  const { imports, requires, serve, typedServe } = parts(folder);
  const main = "void serve().then(console.log);\n";
  const typed = imports + typedServe + main;
  return { "esm.mjs": imports + serve + main, "cjs.cjs": requires + serve + main, "typed.mts": typed, "typed.cts": typed };
}

/**
 * @param {string} folder
 * @returns {Program}
 */
function programOf(folder) {
  const program = programs[folder];
  if (program === undefined) throw new Error(`${folder} has no program`);
  return program;
}
