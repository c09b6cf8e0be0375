import { listen } from "@ratelimit/conformance";
import { limitByUser, rateLimit } from "@ratelimit/koa";
import Koa, { type Middleware } from "koa";
import { expect, test } from "vitest";

/** The codes of the warnings that two requests with X-Forwarded-For give rise to. */
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
  ["a proxy that is counted is no reason to warn", { proxy: true, maxIpsCount: 1 }, () => rateLimit(limit), []],
  ["nor one believed by our trust", {}, () => rateLimit({ ...limit, trust: 1 }), []],
  ["nor one that we are told not to believe", {}, () => rateLimit({ ...limit, trust: false }), []],
  ["X-Forwarded-For while nobody is believed warns once", {}, () => rateLimit(limit), ["RATELIMIT_FORWARDED_IGNORED"]],
  ["and once per process", {}, () => rateLimit(limit), []],
  ["proxy: true without maxIpsCount warns once", { proxy: true }, () => rateLimit(limit), ["RATELIMIT_KOA_PROXY"]],
  [
    "limitByUser without a choice for nobody is fine where all have a user",
    {},
    () => limitByUser({ ...limit, trust: 1, user: () => 1 }),
    [],
  ],
  ["a choice for nobody is heard", {}, () => limitByUser({ ...limit, trust: 1, anonymous: "address" }), []],
  ["limitByUser without a user and without a choice warns once", {}, () => limitByUser({ ...limit, trust: 1 }), ["RATELIMIT_NO_USER"]],
] as const)("%s", async (_, options, make, codes) => {
  expect(await warningsOf(options, make())).toEqual(codes);
});
