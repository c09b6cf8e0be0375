import { createReadStream, readFile } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listen } from "@ratelimit/conformance";
import { type ExpressRateLimitOptions, rateLimit } from "@ratelimit/express";
import express, { type Express } from "express";
import express4 from "express4";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ratelimit-"));
  await writeFile(join(folder, "limited.txt"), "come back later");
});
afterAll(() => rm(folder, { recursive: true }));

type OnLimited = NonNullable<ExpressRateLimitOptions["onLimited"]>;

/** Sends a second request to an app that admits one, and returns the refusal. */
async function refusalOf(make: () => Express, onLimited: OnLimited): Promise<unknown[]> {
  const app = make();
  app.set("views", folder);
  app.engine("txt", (path, _options, done) => readFile(path, "utf8", done));
  app.use(rateLimit({ rate: 1, onLimited }), (_req, res) => void res.send("ok"));
  const served = await listen(app);
  try {
    await fetch(`http://127.0.0.1:${served.port}/`);
    const refusal = await fetch(`http://127.0.0.1:${served.port}/`);
    return [refusal.status, await refusal.text(), refusal.headers.get("retry-after")];
  } finally {
    await served.close();
  }
}

const versions = [
  ["Express 5", express],
  ["Express 4", express4],
] as const;

const ways: readonly (readonly [name: string, onLimited: OnLimited])[] = [
  ["res.render", (_result, _req, res) => res.render("limited.txt")],
  ["res.sendFile", (_result, _req, res) => void res.sendFile(join(folder, "limited.txt"))],
  ["res.download", (_result, _req, res) => void res.download(join(folder, "limited.txt"))],
  ["a stream", (_result, _req, res) => void createReadStream(join(folder, "limited.txt")).pipe(res)],
];

test.each(versions.flatMap(([version, make]) => ways.map(([way, onLimited]) => [version, way, make, onLimited] as const)))(
  "%s: an answer by %s, which is sent after onLimited has returned, is the only one",
  async (_version, _way, make, onLimited) => {
    expect(await refusalOf(make, onLimited)).toEqual([429, "come back later", "60"]);
  },
);

test.each(versions)("%s: bytes that onLimited returns are sent as they are", async (_, make) => {
  expect(await refusalOf(make, () => new TextEncoder().encode("später"))).toEqual([429, "später", "60"]);
});
