import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CallCounts } from "../src/path/coverage.ts";
import { calledIn } from "../src/path/sources.ts";

/** Bundled code of a.ts, and of b.ts with two functions. The last line is split, because Vite would take it for the map of this file. */
const built = [
  "function once() {}",
  "function often() { once(); return () => never(); }",
  "function never() {}",
  "module.exports = { once, often, never };",
  `//# source${"MappingURL"}=built.cjs.map`,
].join("\n");
const map = { version: 3, sources: ["a.ts", "b.ts"], names: [], mappings: "AAAA;ACAA;AACA" };

test("calls are counted since the previous take, and functions are found in the sources", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ratelimit-bench-"));
  await writeFile(join(folder, "built.cjs"), built);
  await writeFile(join(folder, "built.cjs.map"), JSON.stringify(map));
  const { once, often } = createRequire(import.meta.url)(join(folder, "built.cjs")) as Record<"once" | "often", () => void>;
  using counts = await CallCounts.start();
  const look = async (): Promise<object[]> => calledIn(folder, await counts.take());
  once();
  await look();
  expect(await look()).toEqual([]);
  often();
  once();
  expect(await look()).toEqual([
    { file: "a.ts", line: 1, name: "once", calls: 2 },
    { file: "b.ts", line: 1, name: "often", calls: 1 },
  ]);
  once();
  expect(calledIn(join(folder, "elsewhere"), await counts.take())).toEqual([]);
  await rm(folder, { recursive: true });
});
