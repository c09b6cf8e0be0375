import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What installing a package costs. */
export interface Installed {
  readonly kb: number;
  /** The number of packages that are installed besides those named. */
  readonly dependencies: number;
}

const bench = fileURLToPath(new URL("../../", import.meta.url));

/** Measures packages in node_modules together with their dependencies, without peer dependencies, which the user chooses. */
export function installed(names: readonly string[]): Installed {
  const folders = new Set<string>();
  for (const name of names) collect(folderOf(name, bench), folders);
  const bytes = [...folders].map((folder) => (isOurs(folder) ? packedSize(folder) : sizeOf(folder)));
  const ours = new Set(names.map((name) => folderOf(name, bench)));
  return { kb: bytes.reduce((sum, size) => sum + size, 0) / 1000, dependencies: [...folders].filter((folder) => !ours.has(folder)).length };
}

function collect(folder: string, into: Set<string>): void {
  if (into.has(folder)) return;
  into.add(folder);
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { dependencies?: Record<string, string> };
  for (const name of Object.keys(dependencies)) collect(folderOf(name, folder), into);
}

/** Finds a package as Node does, in the node_modules of every folder above. */
function folderOf(name: string, from: string): string {
  const folder = join(from, "node_modules", name);
  if (existsSync(folder)) return realpathSync(folder);
  if (from === dirname(from)) throw new Error(`${name} is not installed`);
  return folderOf(name, dirname(from));
}

/** Whether this is one of our packages. Its folder also holds files that are not published. */
function isOurs(folder: string): boolean {
  return !folder.includes("node_modules");
}

function packedSize(folder: string): number {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json"], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return (JSON.parse(output) as [{ unpackedSize: number }])[0].unpackedSize;
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .map((entry) => (entry.isDirectory() ? sizeOf(join(folder, entry.name)) : statSync(join(folder, entry.name)).size))
    .reduce((sum, size) => sum + size, 0);
}
