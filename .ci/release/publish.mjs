// Publishes the packages whose version the registry does not have, and tags the commit. Arguments go to pnpm: the release workflow adds
// --provenance, which `changeset publish` cannot pass on, and pnpm 12.4 reads from no setting and no manifest.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @typedef {{ mode: string, tag: string, initialVersions: Record<string, string> }} Pre */

const pre = fileURLToPath(new URL("../../.changeset/pre.json", import.meta.url));

run("pnpm", ["--recursive", "publish", "--access", "public", "--no-git-checks", "--tag", distTag(), ...process.argv.slice(2)]);
run("pnpm", ["exec", "changeset", "tag"]);

/** A prerelease does not become what everybody installs, unless there is nothing else to install yet. */
function distTag() {
  if (!existsSync(pre)) return "latest";
  const { mode, tag, initialVersions } = /** @type {Pre} */ (JSON.parse(readFileSync(pre, "utf8")));
  const wasReleased = Object.values(initialVersions).some((version) => version !== "0.0.0");
  return mode === "pre" && wasReleased ? tag : "latest";
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 */
function run(program, args) {
  const { status } = spawnSync(program, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
