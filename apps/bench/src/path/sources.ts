import { existsSync, readFileSync } from "node:fs";
import type { Profiler } from "node:inspector";
import { SourceMap } from "node:module";
import { relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A function that was called, and its place in the sources. */
export interface Called {
  /** The path of the source file, relative to `root`. */
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly calls: number;
}

/**
 * Returns the functions that were called in packages below `root`, but not in their dependencies.
 *
 * The source map of a built script is the file next to it that ends in `.map`.
 *
 * @throws {Error} if a script has no source map.
 */
export function calledIn(root: string, scripts: readonly Profiler.ScriptCoverage[]): Called[] {
  return scripts
    .filter(({ url }) => url.startsWith("file:") && isPackage(relative(root, fileURLToPath(url))))
    .flatMap(({ url, functions }) => {
      const built = new BuiltFile(fileURLToPath(url));
      return functions.flatMap(({ functionName, ranges: [whole] }) => {
        if (whole === undefined || whole.count === 0) return [];
        const { path, line } = built.sourceOf(whole.startOffset);
        return [{ file: relative(root, path), line, name: functionName || "(anonymous)", calls: whole.count }];
      });
    })
    .sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

/** Whether a path relative to `root` is below it, but not in a folder of dependencies. */
function isPackage(path: string): boolean {
  return !path.startsWith("..") && !path.includes("node_modules");
}

class BuiltFile {
  readonly #lineStarts: readonly number[];
  readonly #map: SourceMap;
  readonly #mapUrl: URL;

  constructor(path: string) {
    const code = readFileSync(path, "utf8");
    this.#mapUrl = pathToFileURL(`${path}.map`);
    if (!existsSync(this.#mapUrl)) throw new Error(`${path} has no source map: build the packages first`);
    this.#map = new SourceMap(JSON.parse(readFileSync(this.#mapUrl, "utf8")) as ConstructorParameters<typeof SourceMap>[0]);
    this.#lineStarts = [0, ...Array.from(code.matchAll(/\n/g), ({ index }) => index + 1)];
  }

  sourceOf(offset: number): { path: string; line: number } {
    const line = this.#lineStarts.findLastIndex((start) => start <= offset);
    const entry = this.#map.findEntry(line, offset - (this.#lineStarts[line] ?? 0));
    if (!("originalSource" in entry)) throw new Error(`${this.#mapUrl.href} has no source for offset ${offset}`);
    return { path: fileURLToPath(new URL(entry.originalSource, this.#mapUrl)), line: entry.originalLine + 1 };
  }
}
