/** Runs every command of the documentation in a shell, and compares what it prints with the block below it. */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { RedisBackend } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { type Standalone, startStandalone } from "@ratelimit/testbed";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { folder } from "./support/folder.ts";
import { line, lines, sample } from "./support/log.ts";

let redis: Standalone;
beforeAll(async () => {
  redis = await startStandalone();
}, 60_000);
afterAll(async () => {
  await redis?.stop();
});

interface Step {
  readonly commands: string;
  /** What the last command prints; `undefined` if the page does not show it. */
  readonly prints: string | undefined;
}

/** The blocks of a page in the languages `sh` and `text`, in pairs. */
function stepsOf(page: string): Step[] {
  const text = readFileSync(join(import.meta.dirname, "../../..", page), "utf8");
  const blocks = [...text.matchAll(/^```(sh|text)\n(.*?)^```$/gms)].map(([, language = "", body = ""]) => ({ language, body }));
  return blocks.flatMap(({ language, body }, i) => {
    if (language !== "sh") return [];
    const next = blocks[i + 1];
    return [{ commands: body, prints: next?.language === "text" ? next.body : undefined }];
  });
}

/** The files that the pages speak of. */
function logFolder(): string {
  const path = folder();
  const requests = sample();
  writeFileSync(join(path, "access.log"), lines(requests.slice(2500)));
  writeFileSync(join(path, "access.log.1"), lines(requests.slice(1000, 2500)));
  writeFileSync(join(path, "access.log.2.gz"), gzipSync(lines(requests.slice(0, 1000))));
  writeFileSync(
    join(path, "app.jsonl"),
    lines(requests, (one) => line.json({ ...one, user: "alice" }).replace('"user"', '"userId"')),
  );
  return path;
}

/** Makes the buckets that the pages look at. */
async function fillRedis(): Promise<void> {
  const backend = new RedisBackend({ url: redis.url, timeout: "5s" });
  const limiter = new RateLimiter({ name: "api", rate: 100, period: "1h", backend });
  await limiter.check("ip:203.0.113.9", { cost: 100 });
  await limiter.check("user:123", { cost: 3 });
  await backend.close();
}

test.for(["docs/cli.md", "docs/scaling.md", "packages/cli/README.md"])(
  "%s: every command works and prints what the page says",
  { timeout: 120_000 },
  async (page) => {
    await fillRedis();
    const cwd = logFolder();
    const shell = `npx() { [ "$1" = @ratelimit/cli ] || return 99; shift; '${process.execPath}' '${inject("main")}' "$@"; }\nset -e\n`;
    const steps = stepsOf(page);
    expect(steps.length).toBeGreaterThan(2);
    for (const { commands, prints } of steps) {
      const env = { PATH: process.env["PATH"], RATELIMIT_REDIS_URL: redis.url };
      const { stdout } = await promisify(execFile)("bash", ["-c", shell + commands], { cwd, env });
      if (prints !== undefined) expect(stdout).toBe(prints);
    }
  },
);
