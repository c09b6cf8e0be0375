import assert from "node:assert/strict";
import { httpRequirements, type Serve } from "@ratelimit/conformance";
import { test } from "vitest";

/** Registers the adapter suite without the requirements that cannot apply, given by their first words with the reason, and prints those. */
export function suiteWithout(inapplicable: Readonly<Record<string, string>>, where: string, serve: Serve): void {
  const unused = new Set(Object.keys(inapplicable));
  for (const requirement of httpRequirements) {
    const { name } = requirement;
    const words = Object.keys(inapplicable).find((words) => name.startsWith(words));
    if (words === undefined) test(name, () => requirement.verify(serve));
    else process.stdout.write(`Not for ${where}: ${name}: ${inapplicable[words]}\n`);
    unused.delete(words ?? "");
  }
  test("each requirement that cannot apply is one of the suite's", () => assert.deepEqual([...unused], []));
}
