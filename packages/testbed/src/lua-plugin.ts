import { readFileSync } from "node:fs";

/** Lets a module import a `.lua` file as a string. Works in the build and in the tests, which both take Rollup plugins. */
export const lua: { readonly name: string; load(id: string): string | undefined } = {
  name: "lua",
  load(id: string): string | undefined {
    return id.endsWith(".lua") ? `export default ${JSON.stringify(readFileSync(id, "utf8"))};` : undefined;
  },
};
