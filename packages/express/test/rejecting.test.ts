import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { bundle } from "@ratelimit/testbed/bundle";
import { expect, test } from "vitest";

const errors = ["key", "skip", "limiter", "cost", "user", "valid", "backend"].map((option) => `${option} 500`);

test("a function or backend that rejects never ends an Express 4 process; Express answers with a 500", async () => {
  await using program = await bundle(join(import.meta.dirname, "programs/rejecting.ts"));
  const { stdout } = await promisify(execFile)(process.execPath, [program.path], { timeout: 10_000 });
  const expected = ["newest", "oldest"].flatMap((version) =>
    [...errors, "onLimited 403", "refund 200"].map((line) => `${version} ${line}`),
  );
  expect(stdout.trim().split("\n")).toEqual(expected);
});

test("without a framework, an error of the code behind a limit is thrown once and uncaught, as without the limit", async () => {
  await using program = await bundle(join(import.meta.dirname, "programs/throwing.ts"));
  const { stdout } = await promisify(execFile)(process.execPath, [program.path], { timeout: 10_000 });
  expect(stdout.trim().split("\n")).toEqual(["call 1: no error", "uncaughtException: of the handler"]);
});
