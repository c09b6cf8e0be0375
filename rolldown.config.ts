import { readFileSync } from "node:fs";
import { defineConfig } from "rolldown";
import { lua } from "./packages/testbed/src/lua-plugin.ts";

type Manifest = { exports: Record<string, { "@ratelimit/source": string; default: string } | string> };

// Builds the package in whose folder it runs. A process pays at its start for every file that it has to find and read:
// so each door of a package is one file, and what two doors share is one more.
const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const doors = Object.values(exports).filter((door) => typeof door !== "string");

export default defineConfig({
  input: Object.fromEntries(doors.map((door) => [door.default.replace(/^\.\/dist\/|\.js$/g, ""), door["@ratelimit/source"]])),
  external: /^[^./]/,
  platform: "node",
  plugins: [lua],
  output: {
    dir: "dist",
    chunkFileNames: "shared.js",
    sourcemap: true,
    // The package holds the sources: the maps point there.
    sourcemapExcludeSources: true,
  },
});
