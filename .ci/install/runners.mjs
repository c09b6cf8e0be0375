// The test runners that people use, without any configuration that they could do without. Each runs one test per adapter.
import { parts, printed, programs } from "./programs.mjs";

/** @typedef {import("./scenarios.mjs").Scenario} Scenario */

const folders = Object.keys(programs);

/**
 * One file per adapter.
 * @param {string} extension
 * @param {"imports" | "requires"} how
 * @param {{ before?: string, typed?: boolean, name?: string }} [options]
 */
function tests(extension, how, { before = "", typed = false, name = "test" } = {}) {
  const assert = how === "imports" ? 'import assert from "node:assert";\n' : 'const assert = require("node:assert");\n';
  return Object.fromEntries(
    folders.map((folder) => {
      const program = parts(folder);
      const serve = typed ? program.typedServe : program.serve;
      const test = `${name}("serves one request of two", async () => { assert.equal(await serve(), "${printed}"); });\n`;
      return [`${folder}.test.${extension}`, before + program[how] + assert + serve + test];
    }),
  );
}

/** @type {readonly Scenario[]} */
export const runners = [
  { name: "jest, CommonJS, no configuration", files: tests("js", "requires"), commands: ["jest"], prints: "3 passed, 3 total" },
  {
    name: "jest, ES modules, no configuration",
    files: tests("mjs", "imports"),
    commands: ["node --experimental-vm-modules ../node_modules/jest/bin/jest.js"],
    prints: "3 passed, 3 total",
  },
  {
    name: "ts-jest",
    files: {
      ...tests("ts", "imports", { typed: true }),
      "jest.config.js": 'module.exports = { preset: "ts-jest" };\n',
      "tsconfig.json":
        '{ "compilerOptions": { "strict": true, "esModuleInterop": true, "target": "es2022", "types": ["node", "jest"] } }\n',
    },
    commands: ["jest"],
    prints: "3 passed, 3 total",
  },
  {
    name: "vitest",
    files: tests("ts", "imports", { typed: true, before: 'import { test } from "vitest";\n' }),
    commands: ["vitest run --root ."],
    prints: "3 passed",
  },
  { name: "mocha, CommonJS", files: tests("cjs", "requires", { name: "it" }), commands: ["mocha *.test.cjs"], prints: "3 passing" },
  { name: "mocha, ES modules", files: tests("mjs", "imports", { name: "it" }), commands: ["mocha *.test.mjs"], prints: "3 passing" },
];
