import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { startStandalone } from "@ratelimit/testbed";
import { bundle } from "@ratelimit/testbed/bundle";
import { expect, inject, test } from "vitest";
import type { Tally } from "./support/outage.ts";

const run = promisify(execFile);

test("a process that sees only outages has no unhandled rejections and ends by itself", { timeout: 60_000 }, async () => {
  await using own = await startStandalone();
  await using program = await bundle(join(import.meta.dirname, "support/outage.ts"));
  const { host, port } = own;
  await own.server.kill();
  const ways = [
    { url: own.url },
    { url: own.url.replace("redis:", "rediss:") },
    { url: inject("redis").tls.url },
    { url: "redis://nobody.invalid" },
    { cluster: [{ host, port }] },
    { sentinels: [{ host, port }], name: "mymaster" },
  ];
  const { stdout, stderr } = await run(process.execPath, ["--unhandled-rejections=strict", program.path, JSON.stringify(ways)], {
    timeout: 30_000,
  });
  expect(stderr).toBe("");
  expect(JSON.parse(stdout) as Tally).toEqual({ failed: ways.length * 15, answered: 0 });
});
