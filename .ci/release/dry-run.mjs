// Releases a copy of this repository to a registry on the loopback address with the commands of the release workflow, installs what was
// published by name and runs it. Run it as `pnpm release:check`.
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rows } from "../install/alone.mjs";
import { printed, sourcesOf } from "../install/programs.mjs";
import { npmInstall, run, temp, write } from "../sandbox.mjs";
import { startRegistry } from "./registry.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const copy = join(temp, "repository");
const registry = await startRegistry();
// Scoped, so that everything else still comes from the real registry. The token is as good as any.
const npmrc = `@ratelimit:registry=${registry.url}\n//${new URL(registry.url).host}/:_authToken=dry-run\n`;

try {
  await copyRepository();
  await run("pnpm", ["install", "--frozen-lockfile", "--prefer-offline"], copy);
  await run("pnpm", ["run", "version"], copy);
  write(copy, { ".npmrc": npmrc });
  await run("git", ["-c", "user.name=dry-run", "-c", "user.email=dry-run", "commit", "--quiet", "--all", "--message", "Release"], copy);
  await checkProvenance();
  await run("pnpm", ["run", "release"], copy);
  const version = checkPublished();
  checkChangelog(version);
  checkReadme();
  await installBack(version);
  console.log(`Published and installed back: ${[...registry.packages.keys()].sort().join(", ")}, version ${version}`);
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  registry.close();
}

/** Copies the files that git knows, as they are now, and makes a repository of them. */
async function copyRepository() {
  const files = (await run("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], root)).split("\0").filter(Boolean);
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file), { force: true });
  }
  await run("git", ["init", "--quiet", "--initial-branch=main"], copy);
  await run("git", ["add", "--all"], copy);
  await run("git", ["-c", "user.name=dry-run", "-c", "user.email=dry-run", "commit", "--quiet", "--message", "Copy"], copy);
}

/** The release workflow asks pnpm to sign where the packages were built. Nobody can do that here, so pnpm refuses to publish. */
async function checkProvenance() {
  const refusal = await run("pnpm", ["run", "release", "--provenance"], copy).catch(String);
  if (!/provenance|id-token/i.test(refusal)) throw new Error(`Expected pnpm to refuse to publish without provenance, got:\n${refusal}`);
  if (registry.packages.size > 0) throw new Error("Expected nothing to be published without provenance");
}

/** Every public package was published, in one version, which is what an install without a tag gets. */
function checkPublished() {
  const expected = rows.map(({ folder }) => `@ratelimit/${folder}`).sort();
  const published = [...registry.packages.keys()].sort();
  if (published.join() !== expected.join()) throw new Error(`Expected ${expected.join(", ")} to be published, got ${published.join(", ")}`);
  if (JSON.stringify([...registry.packages.values()].map((one) => one.versions)).includes("@ratelimit/source"))
    throw new Error("Expected no published package to have the condition that leads to sources");
  const versions = new Set([...registry.packages.values()].map((one) => one["dist-tags"]["latest"]));
  const [version = ""] = versions;
  if (versions.size > 1) throw new Error(`Expected one version, got ${[...versions].join(", ")}`);
  if (!/^1\.0\.0-rc\.\d+$|^[1-9]\d*\.\d+\.\d+$/.test(version)) throw new Error(`Expected a release, got ${version}`);
  return version;
}

/** @param {string} version */
function checkChangelog(version) {
  const changelog = readFileSync(join(copy, "packages/express/CHANGELOG.md"), "utf8");
  for (const wanted of [`## ${version}`, "Rate limits for Express"])
    if (!changelog.includes(wanted)) throw new Error(`Expected the changelog to contain "${wanted}", got:\n${changelog}`);
  if (changelog.includes("Updated dependencies"))
    throw new Error(`Expected a changelog without versions of dependencies, got:\n${changelog}`);
}

/** The released README no longer says that there is nothing to install. */
function checkReadme() {
  if (readFileSync(join(copy, "README.md"), "utf8").includes("not on npm yet"))
    throw new Error("README.md still says it is not on npm yet");
}

/** @param {string} version */
async function installBack(version) {
  const home = join(temp, "user");
  mkdirSync(home);
  write(home, { "package.json": '{ "private": true }\n', ".npmrc": npmrc, ...sourcesOf("express") });
  await npmInstall(home, ["@ratelimit/express", "express"]);
  const manifest = /** @type {{ version: string }} */ (
    JSON.parse(readFileSync(join(home, "node_modules/@ratelimit/core/package.json"), "utf8"))
  );
  if (manifest.version !== version) throw new Error(`Expected core ${version}, got ${manifest.version}`);
  for (const file of ["esm.mjs", "cjs.cjs"]) {
    const output = await run("node", [file], home);
    if (output.trim() !== printed) throw new Error(`${file} should print "${printed}"; it printed "${output.trim()}"`);
  }
}
