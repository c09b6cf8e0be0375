import { listen } from "@ratelimit/conformance";
import { limitByUser, rateLimit } from "@ratelimit/koa";
import Koa, { type Middleware } from "koa";
import { expect, test } from "vitest";

/** Sends two requests with X-Forwarded-For and returns the codes of the resulting warnings. */
async function warningsOf(options: { proxy?: boolean; maxIpsCount?: number }, limit: Middleware): Promise<(string | undefined)[]> {
  const codes: (string | undefined)[] = [];
  const hear = (warning: Error & { code?: string }): void => void codes.push(warning.code);
  process.on("warning", hear);
  const handle = new Koa(options).use(limit).callback();
  const served = await listen((req, res) => handle(req, res));
  for (const forwarded of ["203.0.113.1", "203.0.113.2"])
    await fetch(`http://127.0.0.1:${served.port}/`, { headers: { "X-Forwarded-For": forwarded } });
  await served.close();
  process.off("warning", hear);
  return codes;
}

const limit = { rate: 100 };

test.each([
  ["proxy: true with maxIpsCount does not warn", { proxy: true, maxIpsCount: 1 }, () => rateLimit(limit), []],
  ["a proxy trusted by our trust option does not warn", {}, () => rateLimit({ ...limit, trust: 1 }), []],
  ["trust: false does not warn", {}, () => rateLimit({ ...limit, trust: false }), []],
  ["X-Forwarded-For with no trusted proxy warns once", {}, () => rateLimit(limit), ["RATELIMIT_FORWARDED_IGNORED"]],
  ["X-Forwarded-For with no trusted proxy does not warn again in the same process", {}, () => rateLimit(limit), []],
  ["proxy: true without maxIpsCount warns once", { proxy: true }, () => rateLimit(limit), ["RATELIMIT_KOA_PROXY"]],
  [
    "limitByUser without anonymous does not warn if every request has a user",
    {},
    () => limitByUser({ ...limit, trust: 1, user: () => 1 }),
    [],
  ],
  ["limitByUser with anonymous does not warn", {}, () => limitByUser({ ...limit, trust: 1, anonymous: "address" }), []],
  ["limitByUser without a user and without anonymous warns once", {}, () => limitByUser({ ...limit, trust: 1 }), ["RATELIMIT_NO_USER"]],
] as const)("%s", async (_, options, make, codes) => {
  expect(await warningsOf(options, make())).toEqual(codes);
});
