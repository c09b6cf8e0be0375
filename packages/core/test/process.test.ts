import { expect, test } from "vitest";
import { run } from "./support/program.ts";

test.concurrent("loading core and checking a key loads no node:crypto; a long key does", async () => {
  const { before, after } = JSON.parse((await run("loads.ts")).output) as { before: number; after: number };
  expect(before).toBe(0);
  expect(after).toBeGreaterThan(0);
});

test.concurrent("a process with a limiter that has buckets exits by itself", async () => {
  const { output, seconds } = await run("exits.ts");
  expect(output).toBe("done");
  expect(seconds).toBeLessThan(5);
});

test.concurrent("the sweep keeps no request context alive", async () => {
  expect((await run("contexts.ts", "--expose-gc")).output).toBe("collected");
});

test.concurrent("unused limiters leave nothing behind", async () => {
  expect((await run("scopes.ts", "--expose-gc")).output).toBe("0 kept");
});
