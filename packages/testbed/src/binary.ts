import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { makeFolder } from "./folder.ts";

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
  cache = defaultCache(),
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
    if (!existsSync(cache)) await download(cache, env);
    const path = join(cache, "usr/bin/redis-server");
    const cachedEnv = { ...env, LD_LIBRARY_PATH: await libraryPath(cache, env) };
    const answer = await ask(path, cachedEnv);
    if (answer.version !== undefined) return { path, env: cachedEnv, version: answer.version, origin: "cache" };
    cause = answer.cause;
  } catch (error) {
    cause = error;
  }
  throw new Error(`Found no redis-server: ${ADVICE}.`, { cause });
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

async function libraryPath(cache: string, env: NodeJS.ProcessEnv): Promise<string> {
  const lib = join(cache, "usr/lib");
  const folders = (await readdir(lib)).filter((name) => name.includes("-linux-")).map((name) => join(lib, name));
  return [...folders, env["LD_LIBRARY_PATH"] ?? ""].filter((folder) => folder !== "").join(":");
}

/** Fills the cache in one step, with a rename, so that of two processes one wins and both find it complete. */
async function download(cache: string, env: NodeJS.ProcessEnv): Promise<void> {
  await mkdir(dirname(cache), { recursive: true });
  const folder = await makeFolder(dirname(cache));
  try {
    const [lists, archives, debs, root] = ["lists", "archives", "debs", "root"].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
      string,
    ];
    await mkdir(join(lists, "partial"), { recursive: true });
    await mkdir(join(archives, "archives/partial"), { recursive: true });
    await mkdir(debs);
    const apt = (cwd: string, ...args: string[]): Promise<unknown> =>
      run(
        "apt-get",
        [
          "-qq",
          ...["-o", `Dir::State::lists=${lists}`],
          ...["-o", `Dir::Cache=${archives}`],
          ...["-o", "Debug::NoLocking=true"],
          ...["-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"],
          ...args,
        ],
        { cwd, env, timeout: 180_000 },
      );
    await apt(folder.path, "update");
    await apt(debs, "download", ...PACKAGES);
    for (const deb of await readdir(debs)) await run("dpkg-deb", ["-x", join(debs, deb), root], { env });
    await rename(root, cache).catch((error: unknown) => {
      if (!existsSync(cache)) throw error;
    });
  } finally {
    await folder.remove();
  }
}

function defaultCache(): string {
  let root = import.meta.dirname;
  while (!existsSync(join(root, "pnpm-workspace.yaml"))) {
    if (root === dirname(root)) throw new Error("Expected the testbed to be in a pnpm workspace.");
    root = dirname(root);
  }
  return join(root, ".cache/redis");
}
