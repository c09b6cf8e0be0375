/** Tries what the pages show, as a reader would: runs the programs and commands, and compares the responses. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { format, promisify } from "node:util";
import { configFromEnv } from "@ratelimit/core";
import { type Standalone, startStandalone } from "@ratelimit/testbed";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, type TestContext, test, vi } from "vitest";
import { type Block, root, triedPages } from "./pages.ts";
import { compiler, continues, type Program, programOf } from "./programs.ts";
import { curl, type Reply, words } from "./shell.ts";
import { tables } from "./tables.ts";

/** A folder for this run only, because another run may be in progress. */
const folder = join(import.meta.dirname, "../.cache", `programs-${process.pid}`);

/** One step of a section: a program to run, or another block to try. */
type Step = { readonly program: Program; readonly path: string } | { readonly block: Block };

const scenes = triedPages.flatMap((page) =>
  page.sections.map((section) => ({
    scene: `${page.path}${section.heading === "" ? "" : `, ${section.heading}`}`,
    steps: section.blocks.flatMap((block): Step[] => {
      if (block.hidden || (block.language === "ts" && continues(block))) return [];
      if (block.language !== "ts") return [{ block }];
      const program = programOf(page, section, block);
      return [{ program, path: join(folder, program.file ?? `${program.place.replaceAll(/\W/g, "-")}.ts`) }];
    }),
  })),
);

const programs = scenes.flatMap(({ steps }) => steps).filter((step) => "program" in step);

let redis: Standalone | undefined;
let sawWarnings: string[] = [];
/** The servers that the programs of a section start, each with a promise that it listens. */
const servers = new Map<Server, Promise<unknown>>();
/** Those of them that readers see, because they ask for port 3000. */
const shown = new Set<Server>();

beforeAll(async () => {
  redis = await startStandalone().catch((error: unknown) => {
    console.warn(`Programs that need Redis are not run: ${String(error)}`);
    return undefined;
  });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(compiler));
  for (const { program, path } of programs) writeFileSync(path, runnable(program.source));
  listenOnFreePorts();
  process.on("warning", (warning) => {
    if (warning.name === "RateLimitWarning") sawWarnings.push((warning as { code?: string }).code ?? "");
  });
}, 60_000);

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await redis?.stop();
});

/** Adapts a program to the test's Redis, and gives it a longer timeout, because on a busy machine an answer may take 100 ms. */
function runnable(source: string): string {
  const here = redis === undefined ? source : source.replaceAll("localhost:6379", `${redis.host}:${redis.port}`);
  return /\btimeout[:,]/.test(here) ? here : here.replaceAll("new RedisBackend({ url", 'new RedisBackend({ timeout: "5s", url');
}

/** Gives every program a free port on the loopback address, whatever port it asks for. */
function listenOnFreePorts(): void {
  const listen = Reflect.get(Server.prototype, "listen") as (this: Server, ...args: unknown[]) => Server;
  Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
    servers.set(this, once(this, "listening"));
    const [port] = args.map((arg) => (typeof arg === "object" && arg !== null && "port" in arg ? arg.port : arg));
    if (port === 3000) shown.add(this);
    return listen.call(
      this,
      0,
      "127.0.0.1",
      args.find((arg) => typeof arg === "function"),
    );
  } as Server["listen"];
}

test("every program on the pages passes the type checker", { timeout: 60_000 }, async () => {
  const tsc = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  const places = new Map(programs.map(({ program, path }) => [path.slice(folder.length + 1), program.place]));
  // Errors in the packages themselves are left to their own type check.
  const errors = [...stdout.matchAll(/^([\w-]+\.ts)\((\d+),\d+\): (.*)$/gm)].map(
    ([, file = "", line, error]) => `${places.get(file)}, line ${line}: ${error}`,
  );
  expect(errors).toEqual([]);
});

test.for(scenes.filter(({ steps }) => steps.length > 0))("$scene: works as shown", { timeout: 20_000 }, async ({ steps }, context) => {
  sawWarnings = [];
  startedAt = performance.now();
  let replies: Reply[] = [];
  try {
    for (const step of steps)
      if ("program" in step) await run(step.program, step.path, context);
      else replies = await follow(step.block, replies, context);
    await new Promise(setImmediate);
    expect(sawWarnings).toEqual([]);
  } finally {
    for (const server of servers.keys()) {
      server.close();
      (server as { closeAllConnections?(): void }).closeAllConnections?.();
    }
    servers.clear();
    shown.clear();
  }
});

async function run({ source, prints, notRun }: Program, path: string, { skip }: TestContext): Promise<void> {
  if (notRun !== undefined) return;
  if (source.includes("localhost:6379")) await atRedis(skip, (client) => client.flushall());
  const printed = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    await import(path);
    await Promise.all(servers.values());
    if (prints.length > 0) expect(printed.mock.calls.map((args) => format(...(args as [unknown])))).toEqual(prints);
  } finally {
    printed.mockRestore();
  }
}

async function atRedis(skip: TestContext["skip"], use: (client: Redis) => Promise<unknown>): Promise<void> {
  if (redis === undefined) return skip("there is no redis-server");
  const client = new Redis(redis.url);
  await use(client);
  client.disconnect();
}

/** Tries a block that is not a program. Requests are sent to every server on port 3000 that the section has started. */
async function follow(block: Block, replies: Reply[], context: TestContext): Promise<Reply[]> {
  const content = block.lines.join("\n");
  if (block.language === "http") {
    expect(replies.length, "responses to compare").toBeGreaterThan(0);
    for (const reply of replies)
      expect(reply).toSatisfy((reply: Reply) => matches(reply, content) || expect.fail(mismatch(reply, content)));
  } else if (block.language === "sh") {
    let last = replies;
    for (const line of commandsOf(content)) last = (await command(words(line), context)) ?? last;
    return last;
  } else if (block.language === "json") JSON.parse(content);
  else if (block.language === "text") expect(content).toBe((await tables[block.info]?.()) ?? `a table named ${block.info}`);
  else expect.fail(`No test tries a block with the language "${block.language}"`);
  return replies;
}

function commandsOf(script: string): string[] {
  return script
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/(^|\s)# .*$/, "").trim())
    .filter((line) => line !== "");
}

const { packageManager, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  packageManager: string;
  scripts: Record<string, string>;
};
const installable =
  /^(express|fastify|koa|hono|@hono\/node-server|@koa\/router|@fastify\/aws-lambda|serverless-http|ioredis|@types\/(express|koa)|@opentelemetry\/(api|sdk-metrics|exporter-prometheus)|@ratelimit\/(core|backend-memory|backend-redis|express|fastify|koa|fetch|otel|conformance)|@electric-sql\/pglite)$/;

async function command([program = "", ...args]: string[], { skip }: TestContext): Promise<Reply[] | undefined> {
  if (program === "curl") return Promise.all([...shown].map((server) => curl(args, (server.address() as { port: number }).port)));
  if (program === "npm" && args[0] === "install") {
    for (const name of args.slice(1))
      expect(name === "--global" || name === "--save-dev" || name === packageManager || installable.test(name), name).toBe(true);
  } else if (program === "npx") {
    expect(args.slice(0, 2)).toEqual(["--yes", packageManager]);
    expect(Object.keys(scripts)).toContain(args[2]);
  } else if (program === "pnpm") expect([...Object.keys(scripts), "install"]).toContain(args[0]);
  else if (program === "redis-cli") {
    const [name = "", ...rest] = args;
    await atRedis(skip, (client) => client.call(name, ...rest));
  } else if (/^RATELIMIT_\w+=/.test(program)) {
    const given = [program, ...args];
    const end = given.findIndex((word) => !/^\w+=/.test(word));
    configFromEnv(Object.fromEntries(given.slice(0, end).map((word) => word.split(/=(.*)/s, 2) as [string, string])));
    expect(given.slice(end).join(" ")).toMatch(/^node \w+\.js$/);
  } else expect.fail(`No test tries the command ${program} ${args.join(" ")}`);
}

/** Whether a reply has the status, fields and body on the page. A time must be as far from now as the page's is from its noon. */
function matches(reply: Reply, expected: string): boolean {
  const [head = "", body] = expected.split("\n\n");
  const [status, ...fields] = head.split("\n");
  return status === reply.status && fields.every((field) => hasField(reply, field)) && (body === undefined || isLike(reply.body, body));
}

const noon = 1_795_521_600;
let startedAt = 0;

/** Seconds since the section began, which can be several on a busy machine. */
function elapsed(): number {
  return (performance.now() - startedAt) / 1000;
}

function hasField({ headers }: Reply, field: string): boolean {
  const [, name = "", value = ""] = /^([^:]+): (.*)$/.exec(field) ?? [];
  const actual = headers[name.toLowerCase()];
  if (name === "X-RateLimit-Reset") return Math.abs(Number(actual) - Date.now() / 1000 - (Number(value) - noon)) < 2 + elapsed();
  return actual !== undefined && isLike(`${name}: ${actual}`, field);
}

/** Numbers of seconds that count down while the test runs. */
const waits = /(?<=^Retry-After: |;t=|"retryAfter":|Retry in )\d+/g;

/** Whether two strings are equal, except that the seconds in `actual` may have counted down. */
function isLike(actual: string, expected: string): boolean {
  const [actualWaits, expectedWaits] = [actual.match(waits) ?? [], expected.match(waits) ?? []];
  const haveCountedDown = expectedWaits.every((wait, i) => {
    const passed = Number(wait) - Number(actualWaits[i]);
    return passed >= 0 && passed <= Math.floor(elapsed());
  });
  return haveCountedDown && actual.replaceAll(waits, "") === expected.replaceAll(waits, "");
}

function mismatch({ status, headers, body }: Reply, expected: string): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `Expected, from the page:\n${expected}\n\nReceived:\n${[status, ...fields].join("\n")}\n\n${body}`;
}
