import { readFileSync } from "node:fs";

/** Lets a module import a `.lua` file as a string: for the build and for the tests, which both speak Rollup's plugin language. */
export const lua: { readonly name: string; load(id: string): string | undefined } = {
  name: "lua",
  load(id: string): string | undefined {
    return id.endsWith(".lua") ? `export default ${JSON.stringify(readFileSync(id, "utf8"))};` : undefined;
  },
};
