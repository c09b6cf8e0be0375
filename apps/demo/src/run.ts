import { parseArgs } from "node:util";
import { RateLimitError } from "@ratelimit/core";
import { check } from "./check.ts";
import { guide } from "./guide.ts";
import { withPage } from "./page/listener.ts";
import { Playground } from "./page/playground.ts";
import { playArgument } from "./page/processes.ts";
import { servePlay } from "./play/process.ts";
import { reachAll } from "./reach.ts";
import { combinations, type Served, serve } from "./serve.ts";
import { type Environment, readSettings } from "./settings.ts";

const help = `\
demo            starts a server for each framework, and a page that shows their buckets; prints what to try
demo --check    sends requests to every combination of backend and framework, and fails if a figure is wrong
demo --help     shows this help

PORT                   the port of the first server (default 3000); if a port is taken, a free one is used
RATELIMIT_REDIS_URL    also start servers on this Redis: redis://[user:password@]host[:port][/database]
REDIS_CLUSTER          also start servers on this Redis Cluster: some of its nodes, as host:port,host:port
RATELIMIT_RATE, RATELIMIT_PERIOD, RATELIMIT_BURST    the limit of /api/data (default 100 per 60 s, burst 150); --check ignores these
RATELIMIT_KEY_PREFIX   the prefix of keys in Redis (default ratelimit:)
RATELIMIT_INCLUDE_HEADERS    false sends no X-RateLimit headers`;

/** Where the demo is. */
export interface Files {
  /** The demo's own program, which the page starts twice more. */
  readonly program: string;
  /** The built page. */
  readonly pageFolder: string;
}

/** Runs a command, and returns the exit code. */
type Command = (env: Environment, files: Files) => Promise<number>;

/** Runs the command that the arguments name, and returns the exit code. */
export async function run(args: readonly string[], env: Environment, files: Files): Promise<number> {
  const command = commandIn(args);
  if (typeof command === "string") {
    console.error(`${command}\n\n${help}`);
    return 2;
  }
  try {
    return await command(env, files);
  } catch (error) {
    if (!(error instanceof RateLimitError)) throw error;
    console.error(error.message);
    return 1;
  }
}

/** Returns the command, or a sentence that says which argument is wrong. pnpm passes on the `--` that other package managers require. */
function commandIn(args: readonly string[]): Command | string {
  if (args[0] === playArgument && process.send !== undefined) return play;
  try {
    const { values } = parseArgs({
      args: args[0] === "--" ? args.slice(1) : [...args],
      options: { check: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    });
    return values.help ? showHelp : values.check ? checkAll : serveAll;
  } catch (error) {
    return (error as Error).message;
  }
}

async function showHelp(): Promise<number> {
  console.log(help);
  return 0;
}

async function play(env: Environment): Promise<number> {
  await servePlay(env);
  return 0;
}

async function checkAll(env: Environment): Promise<number> {
  const { servers, config } = readSettings(env);
  await reachAll(servers);
  console.log("Sending requests to every combination of backend and framework. This takes a few seconds.");
  return (await check({ servers, keyPrefix: config.keyPrefix, print: console.log })) ? 0 : 1;
}

/** Serves until Ctrl-C or SIGTERM. */
async function serveAll(env: Environment, { program, pageFolder }: Files): Promise<number> {
  const settings = readSettings(env);
  await reachAll(settings.servers);
  const stopped = new Promise<unknown>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  const open: Served[] = [];
  const playground = new Playground({ program, env });
  try {
    for (const combination of combinations) {
      const port = settings.port === 0 ? 0 : settings.port + open.length;
      const served = await serve(combination, {
        ...settings,
        port,
        ...(open.length === 0 && { extend: (app) => withPage(app, pageFolder, playground) }),
      });
      if (served !== undefined) open.push(served);
    }
    console.log(guide(open, settings.config.policy));
    await stopped;
  } finally {
    await Promise.all([playground.close(), ...open.map((served) => served.close())]);
  }
  return 0;
}
