import { readFileSync, rmSync } from "node:fs";
import { defineConfig, type Plugin, type RolldownOptions } from "rolldown";
import { dts } from "rolldown-plugin-dts";
import { lua } from "./packages/testbed/src/lua-plugin.ts";

type Manifest = {
  exports: Record<string, { "@ratelimit/source": string } | string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
};

// Builds the package in whose folder it runs, once as ES modules and once as CommonJS, each with its types.
// A process pays at its start for every file that it has to find and read, so each entry point is one file, next to one for
// each piece of code that entry points share.
const { exports, peerDependenciesMeta = {} } = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const names = Object.values(exports).flatMap((entry) =>
  typeof entry === "string" ? [] : [entry["@ratelimit/source"].replace(/^\.\/src\/|\.ts$/g, "")],
);
rmSync("dist", { recursive: true, force: true });

/** Makes the types of an optional peer `any` for users who have not installed it, instead of an error in our declarations. */
const optionalImports: Plugin = {
  name: "optional-imports",
  renderChunk: (code) =>
    code.replaceAll(/^import .* from "(.*)";$/gm, (line, from: string) =>
      peerDependenciesMeta[from]?.optional ? `/** @ts-ignore This package is optional. */\n${line}` : line,
    ),
};

/**
 * Lets the types of the ES modules lead to those of the CommonJS build, which declare everything. Only this direction is possible, because
 * TypeScript lets no CommonJS file import an ES module. A class is then declared once, so a limiter has the same type in both.
 */
const typesOfModules: Plugin = {
  name: "types-of-modules",
  generateBundle(_, bundle) {
    for (const name of names) {
      const declared = bundle[`${name}.d.cts`];
      // `export *` leaves out the default export, and to an ES module the default of a CommonJS file is the whole file.
      const [, main] = /(\w+) as default/.exec(declared?.type === "chunk" ? declared.code : "") ?? [];
      const lines = ["*", ...(main === undefined ? [] : [`{ ${main} as default }`])].map(
        (what) => `export ${what} from "./${name}.cjs";\n`,
      );
      this.emitFile({ type: "asset", fileName: `${name}.d.ts`, source: lines.join("") });
    }
  },
};

export default defineConfig([
  // The maps are for our own tools. Packages do not have the sources that the maps lead to, and so leave them out.
  code("js", { format: "es", sourcemap: "hidden" }),
  // Node loads the ES modules with `require` too, so this copy is for tools, and its size counts more than its looks.
  code("cjs", { format: "cjs", exports: "named", minify: { mangle: { keepNames: true } } }),
  types(),
]);

function code(extension: string, output: RolldownOptions["output"]): RolldownOptions {
  // Bundlers need the annotations. The documentation is in the types.
  const comments = { annotation: true, jsdoc: false, legal: false };
  // Bundlers keep a file or drop it: clientIp needs neither policies nor headers, and RateLimiter needs no configuration.
  const groups = [
    { name: "policies", test: /src.(policy.policy|decision.headers)/ },
    { name: "config", test: /src.config.(config|env)/ },
  ];
  const codeSplitting = { includeDependenciesRecursively: false, groups };
  return { ...shared("src", "ts", extension, { comments, codeSplitting, ...output }), plugins: [lua] };
}

/** Bundles the declarations that the compiler wrote to node_modules/.types. */
function types(): RolldownOptions {
  return {
    ...shared("node_modules/.types", "d.ts", "d.cts"),
    experimental: { attachDebugInfo: "none" },
    plugins: [dts({ dtsInput: true, emitDtsOnly: true, sourcemap: false }), optionalImports, typesOfModules],
  };
}

function shared(folder: string, from: string, to: string, output?: RolldownOptions["output"]): RolldownOptions {
  return {
    input: Object.fromEntries(names.map((name) => [name, `${folder}/${name}.${from}`])),
    external: /^[^./]/,
    platform: "node",
    output: { ...output, dir: "dist", entryFileNames: `[name].${to}`, chunkFileNames: `shared.${to}`, minifyInternalExports: false },
  };
}
