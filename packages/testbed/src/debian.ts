import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { makeFolder } from "./folder.ts";

const run = promisify(execFile);

/**
 * Unpacks Debian packages into a cache folder, unless that has been done, and returns the environment to run their programs in. Nothing is
 * installed, and root is not needed.
 * @throws {Error} if this is not Debian or Ubuntu, or there is no network.
 */
export async function unpackDebian(packages: readonly string[], cache: string, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  if (!existsSync(cache)) await download(packages, cache, env);
  return { ...env, LD_LIBRARY_PATH: await libraryPath(cache, env) };
}

/** The folder of the repository in which programs with this name are kept. */
export function cacheFolder(name: string): string {
  let root = import.meta.dirname;
  while (!existsSync(join(root, "pnpm-workspace.yaml"))) {
    if (root === dirname(root)) throw new Error("Expected the testbed to be in a pnpm workspace.");
    root = dirname(root);
  }
  return join(root, ".cache", name);
}

async function libraryPath(cache: string, env: NodeJS.ProcessEnv): Promise<string> {
  const lib = join(cache, "usr/lib");
  if (!existsSync(lib)) return env["LD_LIBRARY_PATH"] ?? "";
  const folders = (await readdir(lib)).filter((name) => name.includes("-linux-")).map((name) => join(lib, name));
  return [...folders, env["LD_LIBRARY_PATH"] ?? ""].filter((folder) => folder !== "").join(":");
}

/** Fills the cache in one step, with a rename, so that of two processes one wins and both find it complete. */
async function download(packages: readonly string[], cache: string, env: NodeJS.ProcessEnv): Promise<void> {
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
    await apt(debs, "download", ...packages);
    for (const deb of await readdir(debs)) await run("dpkg-deb", ["-x", join(debs, deb), root], { env });
    await rename(root, cache).catch((error: unknown) => {
      if (!existsSync(cache)) throw error;
    });
  } finally {
    await folder.remove();
  }
}
