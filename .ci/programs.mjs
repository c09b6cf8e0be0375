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
 * @param {string} folder
 * @param {Program} program
 * @returns {Record<"esm.mjs" | "cjs.cjs" | "typed.mts", string>}
 */
export function sourcesOf(folder, { framework, local, start }) {
  const adapter = `@ratelimit/${folder}`;
  const esm = `import { once } from "node:events";\nimport ${local} from "${framework}";\nimport { rateLimit } from "${adapter}";\n`;
  const cjs = `const { once } = require("node:events");\nconst ${local} = require("${framework}");\nconst { rateLimit } = require("${adapter}");\n`;
  const main = (/** @type {string} */ type) => `
async function main() {${start}
  const { port } = server.address()${type};
  const ask = () => fetch("http://127.0.0.1:" + port + "/");
  const [first, second] = [await ask(), await ask()];
  console.log(first.status + " " + (await first.text()) + ", " + second.status);
  process.exit();
}
void main();
`;
  const typed = 'import type { AddressInfo } from "node:net";\n';
  return { "esm.mjs": esm + main(""), "cjs.cjs": cjs + main(""), "typed.mts": typed + esm + main(" as AddressInfo") };
}
