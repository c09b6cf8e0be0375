import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What an install brings: itself and what it depends on. */
export interface Installed {
  readonly kb: number;
  /** Packages beside the one that was asked for. */
  readonly dependencies: number;
}

const bench = fileURLToPath(new URL("../../", import.meta.url));

/** Of a package as it lies in node_modules, with all that it needs; peers are the user's choice. */
export function installed(names: readonly string[]): Installed {
  const folders = new Set<string>();
  for (const name of names) collect(folderOf(name, bench), folders);
  const bytes = [...folders].map((folder) => (isOurs(folder) ? packed(folder) : sizeOf(folder)));
  const ours = new Set(names.map((name) => folderOf(name, bench)));
  return { kb: bytes.reduce((sum, size) => sum + size, 0) / 1000, dependencies: [...folders].filter((folder) => !ours.has(folder)).length };
}

function collect(folder: string, into: Set<string>): void {
  if (into.has(folder)) return;
  into.add(folder);
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { dependencies?: Record<string, string> };
  for (const name of Object.keys(dependencies)) collect(folderOf(name, folder), into);
}

/** As Node looks for it: in the node_modules of every folder above. */
function folderOf(name: string, from: string): string {
  const folder = join(from, "node_modules", name);
  if (existsSync(folder)) return realpathSync(folder);
  if (from === dirname(from)) throw new Error(`There is no ${name} to be weighed`);
  return folderOf(name, dirname(from));
}

/** A workspace package holds more than it publishes. */
function isOurs(folder: string): boolean {
  return !folder.includes("node_modules");
}

function packed(folder: string): number {
  const told = execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return (JSON.parse(told) as [{ unpackedSize: number }])[0].unpackedSize;
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .map((entry) => (entry.isDirectory() ? sizeOf(join(folder, entry.name)) : statSync(join(folder, entry.name)).size))
    .reduce((sum, size) => sum + size, 0);
}
