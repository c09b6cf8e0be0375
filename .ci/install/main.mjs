// Packs every public package and installs the tarballs as users do: each alone, and all of them in one project in which the tools that people
// have then build, test and run something. Run it as `pnpm install:check`, which builds first and has pnpm on the PATH.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { all, npmInstall, run, tarball, temp, write } from "../sandbox.mjs";
import { installAlone, rows } from "./alone.mjs";
import { bundled } from "./bundlers.mjs";
import { compiled } from "./compilers.mjs";
import { nested, nextApp } from "./frameworks.mjs";
import { installWith, managers } from "./managers.mjs";
import { runners } from "./runners.mjs";
import { play } from "./scenarios.mjs";
import { weigh, weights } from "./sizes.mjs";
import { tools } from "./tools.mjs";

const packages = fileURLToPath(new URL("../../packages/", import.meta.url));
let failed = false;

try {
  checkRows();
  await Promise.all(rows.map(({ folder }) => run("pnpm", ["pack", "--out", tarball(folder)], join(packages, folder))));
  const project = join(temp, "project");
  mkdirSync(project);
  write(project, { "package.json": '{ "private": true }\n' });
  const specifiers = Object.entries(tools).map((tool) => tool.join("@"));
  const [alone] = await Promise.all([
    all(rows, installAlone, 2),
    npmInstall(project, [...rows.map(({ folder }) => tarball(folder)), ...specifiers]),
  ]);
  report(["package", "brings", "peers", "entries"], alone);
  report(["weight", "is", "may be"], await all(weights, (weight) => weigh(project, weight)));
  report(["package manager", "time"], await all(managers(project), installWith));
  // The longest first, so that none of them still runs when all others are done.
  const scenarios = [...nextApp, ...nested, ...compiled, ...runners, ...bundled];
  report(["tool", "time"], await all(scenarios, (scenario) => play(project, scenario)));
} catch (error) {
  console.error(String(error));
  failed = true;
}
process.exitCode = failed ? 1 : 0;

/** Every public package has a row, so that a new one cannot be forgotten. */
function checkRows() {
  for (const folder of readdirSync(packages)) {
    const path = join(packages, folder, "package.json");
    if (!existsSync(path)) continue;
    const manifest = /** @type {{ private?: boolean }} */ (JSON.parse(readFileSync(path, "utf8")));
    if (manifest.private || rows.some((row) => row.folder === folder)) continue;
    throw new Error(`packages/${folder} has no row in .ci/install/alone.mjs`);
  }
}

/**
 * Prints a table of what went well, then what did not.
 * @param {readonly string[]} title
 * @param {readonly PromiseSettledResult<readonly string[]>[]} settled
 */
function report(title, settled) {
  const lines = [title, ...settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  for (const cells of lines)
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  console.log();
  for (const one of settled) {
    if (one.status === "fulfilled") continue;
    console.error(String(one.reason));
    failed = true;
  }
}
