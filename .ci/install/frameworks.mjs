// Frameworks that bring a build of their own.
/** @typedef {import("./scenarios.mjs").Scenario} Scenario */

const nest = `
import "reflect-metadata";
import { Catch, Controller, Get, Module, type ArgumentsHost, type ExceptionFilter } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter, RateLimitExceeded } from "@ratelimit/core";
import { limitByApiKey, rateLimit } from "@ratelimit/express";
import type { Response } from "express";

const limiter = new RateLimiter({ rate: 1, period: 60, backend: new MemoryBackend() });

@Controller()
class Routes {
  @Get("open") open(): string { return "open"; }
  @Get("enforced") async enforced(): Promise<string> { await limiter.enforce("job"); return "enforced"; }
}

@Catch(RateLimitExceeded)
class TooMany implements ExceptionFilter {
  catch(error: RateLimitExceeded, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<Response>().status(error.status).set(error.headers).end();
  }
}

@Module({ controllers: [Routes] })
class App {}

async function main(): Promise<void> {
  const app = await NestFactory.create(App, { logger: false });
  app.use("/open", rateLimit({ rate: 1, period: 60 }));
  app.use("/enforced", limitByApiKey({ rate: 100, period: 60 }));
  app.useGlobalFilters(new TooMany());
  await app.listen(0, "127.0.0.1");
  const base = await app.getUrl();
  const statuses: number[] = [];
  for (const path of ["open", "open", "enforced", "enforced"]) statuses.push((await fetch(base + "/" + path)).status);
  console.log(statuses.join());
  await app.close();
}
void main();
`;

const nestOptions =
  "--strict --target es2022 --module commonjs --moduleResolution node10 --esModuleInterop --skipLibCheck --experimentalDecorators --emitDecoratorMetadata";

/** @type {readonly Scenario[]} */
export const nested = [
  {
    name: "NestJS 11, compiled to CommonJS",
    files: { "main.ts": nest, "package.json": '{ "private": true, "type": "commonjs" }\n' },
    // The second run is without the ES modules that Node would load for `require`.
    commands: [
      `node ../node_modules/typescript/bin/tsc ${nestOptions} main.ts`,
      "node main.js",
      "node --no-experimental-require-module main.js",
    ],
    prints: "200,429,200,429\n200,429,200,429",
  },
];

const route = `
import { MemoryBackend } from "@ratelimit/backend-memory";
import { RateLimiter } from "@ratelimit/core";
import { rateLimitHeaders } from "@ratelimit/core/http";

const limiter = new RateLimiter({ rate: 1, period: 60, backend: new MemoryBackend() });

export async function GET() {
  const result = await limiter.check("everyone");
  return Response.json({ remaining: result.remaining }, { status: result.allowed ? 200 : 429, headers: rateLimitHeaders(result, limiter.policy) });
}
`;

const fetchRoute = `
import { rateLimit } from "@ratelimit/fetch";

const limit = rateLimit({ rate: 1, period: 60, trust: 1 });

export const GET = limit(async (request, { params }) => Response.json((await params).id + request.nextUrl.search));
`;

/** Starts what was built, asks each route twice and stops it. */
const ask = `
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
const next = createRequire(import.meta.url).resolve("next/dist/bin/next");
const server = spawn(process.execPath, [next, "start", "--port", "0", "--hostname", "127.0.0.1"], { stdio: ["ignore", "pipe", "inherit"] });
let output = "";
for await (const text of server.stdout) {
  output += text;
  const url = /http:\\/\\/[^\\s]+:\\d+/.exec(output)?.[0];
  if (url === undefined || !output.includes("Ready")) continue;
  for (const path of ["/api/limited", "/api/wrapped/7?x"]) {
    const answers = [await fetch(url + path), await fetch(url + path)];
    console.log(answers.map((answer) => answer.status + " " + answer.headers.get("x-ratelimit-remaining")).join());
  }
  break;
}
server.kill();
`;

/** @type {readonly Scenario[]} */
export const nextApp = [
  {
    name: "Next.js 16, route handlers",
    files: {
      "app/api/limited/route.js": route,
      "app/api/wrapped/[id]/route.js": fetchRoute,
      "app/layout.js": "export default ({ children }) => <html><body>{children}</body></html>;\n",
      // The folder above has a lock file too, and Next asks which one to trust.
      "next.config.mjs": 'export default { turbopack: { root: import.meta.dirname + "/.." } };\n',
      "ask.mjs": ask,
    },
    commands: ["next build", "node ask.mjs"],
    prints: "200 0,429 0\n200 0,429 0",
  },
];
