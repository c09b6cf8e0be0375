// What a user's project does with the installed packages: some files, the commands that are run on them, and what the last ones print.
import { mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run, write } from "../sandbox.mjs";

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {Readonly<Record<string, string>>} files
 * @property {readonly string[]} commands for a shell, with the tools of the project on its PATH
 * @property {string} prints what the output of all commands contains
 */

let count = 0;

/**
 * Runs a scenario in a folder of its own below the project, where Node finds what the project has installed.
 * @param {string} project
 * @param {Scenario} scenario
 */
export async function play(project, { name, files, commands, prints }) {
  const start = performance.now();
  const home = join(project, `scenario-${++count}`);
  mkdirSync(home);
  write(home, { "package.json": '{ "private": true }\n', ...files });
  const env = {
    PATH: [join(project, "node_modules/.bin"), process.env["PATH"]].join(delimiter),
    NO_COLOR: "1",
    NEXT_TELEMETRY_DISABLED: "1",
  };
  try {
    let output = "";
    for (const command of commands) output += await run("sh", ["-c", command], home, env);
    if (!output.includes(prints)) throw new Error(`Expected "${prints}", got:\n${output}`);
  } catch (error) {
    throw new Error(`${name}: ${/** @type {Error} */ (error).message}`);
  }
  return [name, `${((performance.now() - start) / 1000).toFixed(1)} s`];
}
