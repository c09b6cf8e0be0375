/** Runs what the pages show, as a reader would: programs, commands, and what a server answers to them. */
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
import { continues, type Program, programOf } from "./programs.ts";
import { curl, type Reply, words } from "./shell.ts";
import { tables } from "./tables.ts";

/** Of this run only, for somebody else may run the tests at the same time. */
const folder = join(import.meta.dirname, "../.cache", `programs-${process.pid}`);

/** One step of a section, in the order in which a reader meets it. */
type Step = { readonly program: Program; readonly path: string } | { readonly block: Block };

const scenes = triedPages.flatMap((page) =>
  page.sections.map((section) => ({
    scene: `${page.path}${section.heading === "" ? "" : `, ${section.heading}`}`,
    steps: section.blocks.flatMap((block): Step[] => {
      if (block.hidden || (block.language === "ts" && continues(block))) return [];
      if (block.language !== "ts") return [{ block }];
      const program = programOf(page, section, block);
      return [{ program, path: join(folder, `${program.place.replaceAll(/\W/g, "-")}.ts`) }];
    }),
  })),
);

const programs = scenes.flatMap(({ steps }) => steps).filter((step) => "program" in step);

let redis: Standalone | undefined;
let sawWarnings: string[] = [];
/** The servers that the programs of a section start, each with its having started. */
const servers = new Map<Server, Promise<unknown>>();

beforeAll(async () => {
  redis = await startStandalone().catch((error: unknown) => {
    console.warn(`Programs that need Redis are not run: ${String(error)}`);
    return undefined;
  });
  mkdirSync(folder, { recursive: true });
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

/** The same program for our Redis, and with more patience: a busy machine may take 100 ms for an answer. */
function runnable(source: string): string {
  const here = redis === undefined ? source : source.replaceAll("localhost:6379", `${redis.host}:${redis.port}`);
  return here.includes("timeout:") ? here : here.replaceAll("new RedisBackend({ url", 'new RedisBackend({ timeout: "5s", url');
}

/** Whatever port a program asks for, it gets a free one, on the loopback address only. */
function listenOnFreePorts(): void {
  const listen = Reflect.get(Server.prototype, "listen") as (this: Server, ...args: unknown[]) => Server;
  Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
    servers.set(this, once(this, "listening"));
    return listen.call(
      this,
      0,
      "127.0.0.1",
      args.find((arg) => typeof arg === "function"),
    );
  } as Server["listen"];
}

test("every program of the pages is good TypeScript", { timeout: 60_000 }, async () => {
  const options = {
    extends: "../../tsconfig.json",
    compilerOptions: { rootDir: "../../..", noUnusedLocals: false, noUnusedParameters: false, noPropertyAccessFromIndexSignature: false },
    include: ["."],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
  const tsc = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  const places = new Map(programs.map(({ program, path }) => [path.slice(folder.length + 1), program.place]));
  // What is wrong in the packages themselves is told by their own type-check.
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

/** Does what a block says; what is asked of a server is asked of every one that the section has started. */
async function follow(block: Block, replies: Reply[], context: TestContext): Promise<Reply[]> {
  const text = block.lines.join("\n");
  if (block.language === "http") {
    expect(replies.length, "servers that were asked").toBeGreaterThan(0);
    for (const reply of replies) expect(reply).toSatisfy((reply: Reply) => matches(reply, text) || expect.fail(shown(reply, text)));
  } else if (block.language === "sh") {
    let last = replies;
    for (const line of commandsOf(text)) last = (await command(words(line), context)) ?? last;
    return last;
  } else if (block.language === "json") JSON.parse(text);
  else if (block.language === "text") expect(text).toBe((await tables[block.info]?.()) ?? `a table named ${block.info}`);
  else expect.fail(`A block of ${block.language || "no language"} is tried by nobody`);
  return replies;
}

function commandsOf(text: string): string[] {
  return text
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
  /^(express|fastify|koa|@koa\/router|ioredis|@types\/(express|koa)|@ratelimit\/(core|backend-memory|backend-redis|express|fastify|koa))$/;

async function command([program = "", ...args]: string[], { skip }: TestContext): Promise<Reply[] | undefined> {
  if (program === "curl") return Promise.all([...servers.keys()].map((server) => curl(args, (server.address() as { port: number }).port)));
  if (program === "npm" && args[0] === "install") {
    for (const name of args.slice(1)) expect(name === "--global" || name === packageManager || installable.test(name), name).toBe(true);
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
  } else expect.fail(`${program} ${args.join(" ")} is a command that nobody tries`);
}

/** Whether a reply is what the page says: all of its status, fields and body. Times are as far from now as the page's are from its noon. */
function matches(reply: Reply, text: string): boolean {
  const [head = "", body] = text.split("\n\n");
  const [status, ...fields] = head.split("\n");
  return status === reply.status && fields.every((field) => hasField(reply, field)) && (body === undefined || isLike(reply.body, body));
}

const noon = 1_795_521_600;
let startedAt = 0;

/** Seconds since the section began, which on a busy machine may be some. */
function elapsed(): number {
  return (performance.now() - startedAt) / 1000;
}

function hasField({ headers }: Reply, field: string): boolean {
  const [, name = "", value = ""] = /^([^:]+): (.*)$/.exec(field) ?? [];
  const actual = headers[name.toLowerCase()];
  if (name === "X-RateLimit-Reset") return Math.abs(Number(actual) - Date.now() / 1000 - (Number(value) - noon)) < 2 + elapsed();
  return actual !== undefined && isLike(`${name}: ${actual}`, field);
}

/** Numbers of seconds until something: they grow less while time passes. */
const waits = /(?<=^Retry-After: |;t=|"retryAfter":|Retry in )\d+/g;

function isLike(actual: string, text: string): boolean {
  const [is, says] = [actual.match(waits) ?? [], text.match(waits) ?? []];
  const isSoonEnough = says.every((wait, i) => Number(wait) >= Number(is[i]) && Number(wait) - Number(is[i]) <= Math.floor(elapsed()));
  return isSoonEnough && actual.replaceAll(waits, "") === text.replaceAll(waits, "");
}

function shown({ status, headers, body }: Reply, text: string): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `The page says:\n${text}\n\nIt was:\n${[status, ...fields].join("\n")}\n\n${body}`;
}
