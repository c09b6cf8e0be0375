// pnpm and Yarn, which give a package only what it asks for. npm has installed everything else here.
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { run, tarball, temp, write } from "../sandbox.mjs";
import { rows } from "./alone.mjs";
import { printed, sourcesOf } from "./programs.mjs";

const { "esm.mjs": esm, "cjs.cjs": cjs } = sourcesOf("express");
const ours = Object.fromEntries(rows.map(({ folder }) => [`@ratelimit/${folder}`, `file:${tarball(folder)}`]));
/** A user asks for the adapter and the framework. Only where the other packages of ours come from has to be said, as long as no registry has them. */
const asked = { "@ratelimit/express": ours["@ratelimit/express"], express: "5.3.0" };

/** @param {string} project where the yarn that npm has installed is */
export const managers = (project) => [
  {
    name: "pnpm, strict",
    files: {
      "package.json": JSON.stringify({ private: true, dependencies: asked }),
      "pnpm-workspace.yaml": `packages: []\nautoInstallPeers: false\nstrictPeerDependencies: true\noverrides: ${JSON.stringify(ours)}\n`,
    },
    install: ["pnpm", ["install"]],
    node: ["node", []],
  },
  {
    name: "Yarn, Plug'n'Play",
    files: {
      "package.json": JSON.stringify({ private: true, dependencies: asked, resolutions: ours }),
      "yarn.lock": "",
      ".yarnrc.yml": "nodeLinker: pnp\nenableTelemetry: false\nenableImmutableInstalls: false\nenableGlobalCache: false\n",
    },
    install: ["node", [yarnOf(project), "install"]],
    node: ["node", [yarnOf(project), "node"]],
  },
];

/** @param {string} project */
function yarnOf(project) {
  return createRequire(join(project, "package.json")).resolve("@yarnpkg/cli-dist/bin/yarn.js");
}

/** @param {ReturnType<typeof managers>[number]} manager */
export async function installWith({ name, files, install, node }) {
  const start = performance.now();
  const home = join(temp, name.replace(/\W/g, ""));
  mkdirSync(home);
  write(home, { ...files, "esm.mjs": esm, "cjs.cjs": cjs });
  // Yarn does not read the settings of npm.
  const registry = (await run("npm", ["config", "get", "registry"], home)).trim();
  const env = { YARN_NPM_REGISTRY_SERVER: registry, YARN_UNSAFE_HTTP_WHITELIST: new URL(registry).hostname, CI: "" };
  /** @type {(command: readonly unknown[], ...more: string[]) => Promise<string>} */
  const call = ([program, args], ...more) => run(String(program), [.../** @type {string[]} */ (args), ...more], home, env);
  await call(install);
  for (const file of ["esm.mjs", "cjs.cjs"]) {
    const output = await call(node, file);
    if (!output.includes(printed)) throw new Error(`${name}: ${file} should print "${printed}", it printed:\n${output}`);
  }
  return [name, `${((performance.now() - start) / 1000).toFixed(1)} s`];
}
