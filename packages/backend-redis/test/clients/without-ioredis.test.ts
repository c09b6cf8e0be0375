import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type {} from "@ratelimit/testbed";
import { bundle } from "@ratelimit/testbed/bundle";
import { expect, inject, test } from "vitest";
import { like } from "../support/like.ts";
import type { Without } from "../support/without-ioredis.ts";

test("where ioredis is not installed, other clients work, and `url` says what to install", { timeout: 60_000 }, async () => {
  await using program = await bundle(join(import.meta.dirname, "../support/without-ioredis.ts"), { folder: tmpdir() });
  // pnpm lets what it starts find every package of the repository.
  const env = { ...process.env, NODE_PATH: "" };
  const { stdout } = await promisify(execFile)(process.execPath, [program.path, inject("redis").url], { env });
  expect(JSON.parse(stdout) as Without).toEqual({
    code: "INVALID_OPTION",
    message: like(/^Expected the package ioredis to be installed, .* run `npm install ioredis`, or pass .* as `client`$/),
    source: "backend",
  });
});
