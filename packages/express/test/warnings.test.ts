import { listen } from "@ratelimit/conformance";
import { limitByUser, rateLimit } from "@ratelimit/express";
import express from "express";
import { expect, test, vi } from "vitest";

/** Sends two requests with X-Forwarded-For and returns the codes of the resulting warnings. */
async function warningsOf(app: express.Express, field: string = "X-Forwarded-For"): Promise<(string | undefined)[]> {
  const codes: (string | undefined)[] = [];
  const hear = (warning: Error & { code?: string }): void => void codes.push(warning.code);
  process.on("warning", hear);
  const served = await listen(app.get("/", (_req, res) => void res.send("ok")));
  for (const forwarded of ["203.0.113.1", "203.0.113.2"])
    await fetch(`http://127.0.0.1:${served.port}/`, { headers: { [field]: forwarded } });
  await served.close();
  process.off("warning", hear);
  return codes;
}

const limit = { rate: 100 };

test.each([
  ["a proxy trusted by its network does not warn", () => express().set("trust proxy", "loopback").use(rateLimit(limit)), []],
  ["a client that bypasses the trusted proxy does not warn", () => express().set("trust proxy", "10.0.0.0/8").use(rateLimit(limit)), []],
  ["a proxy trusted by our trust option does not warn", () => express().use(rateLimit({ ...limit, trust: 1 })), []],
  ["trust: false does not warn", () => express().use(rateLimit({ ...limit, trust: false })), []],
  ["X-Forwarded-For with no trusted proxy warns once", () => express().use(rateLimit(limit)), ["RATELIMIT_FORWARDED_IGNORED"]],
  ["X-Forwarded-For with no trusted proxy does not warn again in the same process", () => express().use(rateLimit(limit)), []],
  ["trust proxy: true warns once", () => express().set("trust proxy", true).use(rateLimit(limit)), ["RATELIMIT_EXPRESS_TRUST_PROXY"]],
  [
    "limitByUser without anonymous does not warn if every request has a user",
    () => express().use(limitByUser({ ...limit, trust: 1, user: () => 1 })),
    [],
  ],
  ["limitByUser with anonymous does not warn", () => express().use(limitByUser({ ...limit, trust: 1, anonymous: "address" })), []],
  [
    "limitByUser without a user and without anonymous warns once",
    () => express().use(limitByUser({ ...limit, trust: 1 })),
    ["RATELIMIT_NO_USER"],
  ],
] as const)("%s", async (_, app, codes) => {
  expect(await warningsOf(app())).toEqual(codes);
});

test("a Forwarded field (RFC 7239) with no trusted proxy warns like X-Forwarded-For", async () => {
  vi.resetModules();
  const { rateLimit } = await import("@ratelimit/express");
  expect(await warningsOf(express().use(rateLimit(limit)), "Forwarded")).toEqual(["RATELIMIT_FORWARDED_IGNORED"]);
});

test("a key that is another IPv6 address warns once, and one that is the client's own address does not", async () => {
  const app = express().use(rateLimit({ ...limit, trust: false, key: (req) => req.ip }));
  expect(await warningsOf(app)).toEqual([]);
  const other = express().use(rateLimit({ ...limit, trust: false, key: (req) => `2001:db8::${req.get("x-forwarded-for")?.at(-1)}` }));
  expect(await warningsOf(other)).toEqual(["RATELIMIT_KEY_IS_ADDRESS"]);
});
