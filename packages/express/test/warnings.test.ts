import { listen } from "@ratelimit/conformance";
import { limitByUser, rateLimit } from "@ratelimit/express";
import express from "express";
import { expect, test } from "vitest";

/** The codes of the warnings that two requests with X-Forwarded-For give rise to. */
async function warningsOf(app: express.Express): Promise<(string | undefined)[]> {
  const codes: (string | undefined)[] = [];
  const hear = (warning: Error & { code?: string }): void => void codes.push(warning.code);
  process.on("warning", hear);
  const served = await listen(app.get("/", (_req, res) => void res.send("ok")));
  for (const forwarded of ["203.0.113.1", "203.0.113.2"])
    await fetch(`http://127.0.0.1:${served.port}/`, { headers: { "X-Forwarded-For": forwarded } });
  await served.close();
  process.off("warning", hear);
  return codes;
}

const limit = { rate: 100 };

test.each([
  ["a proxy believed by its network is no reason to warn", () => express().set("trust proxy", "loopback").use(rateLimit(limit)), []],
  ["nor is a client that speaks past it", () => express().set("trust proxy", "10.0.0.0/8").use(rateLimit(limit)), []],
  ["nor one believed by our trust", () => express().use(rateLimit({ ...limit, trust: 1 })), []],
  ["nor one that we are told not to believe", () => express().use(rateLimit({ ...limit, trust: false })), []],
  ["X-Forwarded-For while nobody is believed warns once", () => express().use(rateLimit(limit)), ["RATELIMIT_FORWARDED_IGNORED"]],
  ["and once per process", () => express().use(rateLimit(limit)), []],
  ["trust proxy: true warns once", () => express().set("trust proxy", true).use(rateLimit(limit)), ["RATELIMIT_EXPRESS_TRUST_PROXY"]],
  [
    "limitByUser without a choice for nobody is fine where all have a user",
    () => express().use(limitByUser({ ...limit, trust: 1, user: () => 1 })),
    [],
  ],
  ["a choice for nobody is heard", () => express().use(limitByUser({ ...limit, trust: 1, anonymous: "address" })), []],
  [
    "limitByUser without a user and without a choice warns once",
    () => express().use(limitByUser({ ...limit, trust: 1 })),
    ["RATELIMIT_NO_USER"],
  ],
] as const)("%s", async (_, app, codes) => {
  expect(await warningsOf(app())).toEqual(codes);
});
