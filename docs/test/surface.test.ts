/** The names that users of each package can import, types included. A change here affects users, so it needs a changeset. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./pages.ts";

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | { readonly "@ratelimit/source"?: string }>>;
}

const doors = readdirSync(join(root, "packages"))
  .sort()
  .flatMap((folder) => {
    const path = join(root, "packages", folder);
    const { name, private: isPrivate, exports = {} } = JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Manifest;
    return Object.entries(isPrivate ? {} : exports).flatMap(([door, target]) => {
      const source = typeof target === "string" ? undefined : target["@ratelimit/source"];
      return source === undefined ? [] : [{ door: name + door.slice(1), file: join(path, source) }];
    });
  });

test.each(doors)("the public names of $door are unchanged", ({ file }) => {
  expect(exportedNames(readFileSync(file, "utf8"))).toMatchSnapshot();
});

test("every kind of export is found", () => {
  const source = [
    'export { a, type B } from "./a.ts";',
    'export type { C as D } from "./c.ts";',
    "export const e = 1;",
    "export async function f() {}",
    "export class G {}",
    "export interface H {}",
    "export type I = string;",
    "export default e;",
    'export type {\n  J,\n  K,\n} from "./j.ts";',
  ].join("\n");
  expect(exportedNames(source)).toEqual(["a", "default", "e", "f", "G", "type B", "type D", "type H", "type I", "type J", "type K"]);
});

/** Reads the names that a module exports. A door has no `export *`, so its text has them all. */
function exportedNames(source: string): string[] {
  const lists = [...source.matchAll(/^export (type )?\{([^}]*)\}/gm)].flatMap(([, isType = "", names = ""]) =>
    names
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "")
      .map((name) => isType + name.replace(/^(type )?.* as /, "$1")),
  );
  const declared = [...source.matchAll(/^export (?:async )?(const|function|class|interface|type) (\w+)/gm)].map(
    ([, kind = "", name = ""]) => (kind === "interface" || kind === "type" ? `type ${name}` : name),
  );
  const standard = /^export default /m.test(source) ? ["default"] : [];
  return [...new Set([...lists, ...declared, ...standard])].sort((a, b) => a.localeCompare(b, "en"));
}
