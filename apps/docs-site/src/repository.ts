import { readdirSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";

/** The root of the repository. */
export const root: string = normalize(join(import.meta.dirname, "../../.."));

/** The folder of the site. */
export const site: string = join(root, "apps/docs-site");

/** Where the repository is published. */
export const published = "https://github.com/ratelimit/ratelimit";

/** An entry point of a public package. */
export interface Door {
  /** What users import, such as `@ratelimit/core/backend`. */
  readonly name: string;
  /** Its source file. */
  readonly source: string;
  /** Its page of the reference, relative to the pages of the site. */
  readonly page: string;
}

export interface Package {
  readonly name: string;
  /** The name of its folder in `packages`. */
  readonly folder: string;
  readonly doors: readonly Door[];
}

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | { readonly "@ratelimit/source"?: string }>>;
}

/** The packages that users install, core first. */
export const packages: readonly Package[] = readdirSync(join(root, "packages"))
  .sort((a, b) => Number(b === "core") - Number(a === "core") || a.localeCompare(b, "en"))
  .flatMap((folder) => {
    const { name, private: isPrivate, exports = {} } = JSON.parse(read(`packages/${folder}/package.json`)) as Manifest;
    return isPrivate ? [] : [{ name, folder, doors: doorsOf(name, folder, exports) }];
  });

function doorsOf(name: string, folder: string, exports: NonNullable<Manifest["exports"]>): Door[] {
  return Object.entries(exports).flatMap(([door, target]) => {
    const source = typeof target === "string" ? undefined : target["@ratelimit/source"];
    if (source === undefined) return [];
    const page = `reference/${folder}/${door === "." ? "api" : door.slice(2)}.md`;
    return [{ name: name + door.slice(1), source: join(root, "packages", folder, source), page }];
  });
}

/** Reads a file of the repository. */
export function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}
