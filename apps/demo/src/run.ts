import { parseArgs } from "node:util";
import { RateLimitError } from "@ratelimit/core";
import { check } from "./check.ts";
import { guide } from "./guide.ts";
import { reachAll } from "./reach.ts";
import { combinations, type Served, serve } from "./serve.ts";
import { type Environment, readSettings } from "./settings.ts";

const help = `\
demo            starts a server for each framework, and says what to try on them
demo --check    asks every combination of backend and framework, and fails on a wrong figure
demo --help     shows this

PORT                   the port of the first server (3000); one that is taken gives way to a free one
RATELIMIT_REDIS_URL    a Redis, redis://[user:password@]host[:port][/database]: servers on it too
REDIS_CLUSTER          some nodes of a Redis Cluster, host:port,host:port: servers on it too
RATELIMIT_RATE, RATELIMIT_PERIOD, RATELIMIT_BURST    the limit of /api/data (100 per 60 s, at once 150); --check keeps to that
RATELIMIT_KEY_PREFIX   what keys in Redis begin with (ratelimit:)
RATELIMIT_INCLUDE_HEADERS    false: no X-RateLimit headers`;

/** Ends with an exit status. */
type Command = (env: Environment) => Promise<number>;

/** Does what the arguments say, and hands back the exit status. */
export async function run(args: readonly string[], env: Environment): Promise<number> {
  const command = commandIn(args);
  if (typeof command === "string") {
    console.error(`${command}\n\n${help}`);
    return 2;
  }
  try {
    return await command(env);
  } catch (error) {
    if (!(error instanceof RateLimitError)) throw error;
    console.error(error.message);
    return 1;
  }
}

/** The command, or what is wrong with the arguments. pnpm hands on the `--` that other package managers want before them. */
function commandIn(args: readonly string[]): Command | string {
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

async function checkAll(env: Environment): Promise<number> {
  const { servers, config } = readSettings(env);
  await reachAll(servers);
  console.log("Asking every combination of backend and framework; this takes a few seconds.");
  return (await check({ servers, keyPrefix: config.keyPrefix, print: console.log })) ? 0 : 1;
}

/** Serves until Ctrl-C or SIGTERM. */
async function serveAll(env: Environment): Promise<number> {
  const settings = readSettings(env);
  await reachAll(settings.servers);
  const stopped = new Promise<unknown>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  const open: Served[] = [];
  try {
    for (const combination of combinations) {
      const port = settings.port === 0 ? 0 : settings.port + open.length;
      const served = await serve(combination, { ...settings, port });
      if (served !== undefined) open.push(served);
    }
    console.log(guide(open, settings.config.policy));
    await stopped;
  } finally {
    await Promise.all(open.map((served) => served.close()));
  }
  return 0;
}
