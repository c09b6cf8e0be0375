import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, unpackDebian } from "./debian.ts";

const run = promisify(execFile);

export interface RedisBinary {
  readonly path: string;
  /** The environment to start it in, because the unpacked package brings its own libraries. */
  readonly env: NodeJS.ProcessEnv;
  /** The version that the program reports, such as "7.0.15" for Redis or "8.0.1" for Valkey. */
  readonly version: string;
  readonly origin: "REDIS_SERVER" | "path" | "cache";
}

const ADVICE =
  "install Redis 7 or Valkey (Debian: `apt-get install redis-server`), or set REDIS_SERVER to its path, or run `pnpm test:unit`, which needs none";

const PACKAGES = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"];

/**
 * Finds the redis-server to test with: REDIS_SERVER, or else redis-server or valkey-server on PATH, or else Debian's packages
 * unpacked into the cache folder of this repository (nothing is installed).
 * @throws {Error} if there is none, with one sentence that says what to do.
 */
export async function findRedisServer({
  env = process.env,
  cache = cacheFolder("redis"),
}: {
  env?: NodeJS.ProcessEnv;
  cache?: string;
} = {}): Promise<RedisBinary> {
  const named = env["REDIS_SERVER"];
  if (named !== undefined && named !== "") {
    const { version, cause } = await ask(named, env);
    if (version !== undefined) return { path: named, env, version, origin: "REDIS_SERVER" };
    throw new Error(`REDIS_SERVER is ${named}, which is no redis-server of version 7 or newer: ${ADVICE}.`, { cause });
  }

  for (const path of onPath(["redis-server", "valkey-server"], env)) {
    const { version } = await ask(path, env);
    if (version !== undefined) return { path, env, version, origin: "path" };
  }

  let cause: unknown;
  try {
    const cachedEnv = await unpackDebian(PACKAGES, cache, env);
    const path = join(cache, "usr/bin/redis-server");
    const answer = await ask(path, cachedEnv);
    if (answer.version !== undefined) return { path, env: cachedEnv, version: answer.version, origin: "cache" };
    cause = answer.cause;
  } catch (error) {
    cause = error;
  }
  throw new Error(`Found no redis-server: ${ADVICE}.`, { cause });
}

/**
 * Finds the servers to test with besides that of {@link findRedisServer}: the programs that REDIS_SERVERS names, separated like the folders
 * of PATH, or else every other redis-server and valkey-server on PATH.
 */
export async function findOtherServers(env: NodeJS.ProcessEnv = process.env): Promise<RedisBinary[]> {
  const named = (env["REDIS_SERVERS"] ?? "").split(delimiter).filter((path) => path !== "");
  const usual = await findRedisServer({ env });
  const paths = named.length > 0 ? named : onPath(["redis-server", "valkey-server"], env);
  const others = new Map<string, string>();
  for (const path of paths) {
    const file = await realpath(path);
    if (file !== (await realpath(usual.path))) others.set(file, path);
  }
  return Promise.all([...others.values()].map((path) => findRedisServer({ env: { ...env, REDIS_SERVER: path } })));
}

/** Returns the version that `--version` reports, or a cause if it is not Redis or older than 7.0, which has no `cluster-port`. */
async function ask(path: string, env: NodeJS.ProcessEnv): Promise<{ version?: string; cause?: unknown }> {
  try {
    const { stdout } = await run(path, ["--version"], { env, timeout: 10_000 });
    const version = /server v=(\d+)\.\S+/.exec(stdout);
    if (version !== null && Number(version[1]) >= 7) return { version: version[0].slice("server v=".length) };
    return { cause: new Error(`It answers: ${stdout.trim()}`) };
  } catch (cause) {
    return { cause };
  }
}

function onPath(names: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).filter((path) => existsSync(path));
}
