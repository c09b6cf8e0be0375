import { RateLimiter } from "@ratelimit/core";
import type { HeaderMode } from "@ratelimit/core/http";
import { parseRateLimit } from "ratelimit-header-parser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AnyRequest, App, Serve, Served } from "../../src/http/app.ts";
import { ok, route } from "../../src/http/requirement.ts";
import { TableBackend } from "../../src/http/table-backend.ts";
import { clients } from "./clients.ts";

/**
 * Registers tests of an adapter with third-party HTTP clients, in real time: after a refusal, each waits long enough to be admitted on
 * its first retry. A third-party parser must also read the headers correctly. Clients that are not installed are reported and skipped.
 */
export function clientSuite(serve: Serve): void {
  const backend = new TableBackend(performance);
  const answered = new Map<string, number[]>();
  let served: Served;
  beforeAll(async () => {
    served = await serve(appOn(backend, answered));
  });
  afterAll(async () => {
    await served.close();
    backend.close();
  });

  describe.concurrent("a refused client is admitted on its first retry and not before:", () => {
    for (const { name, get, installed, legacyOnly } of clients)
      for (const mode of legacyOnly ? (["legacy"] as const) : (["legacy", "draft-8"] as const))
        test(`${name}, with ${mode} headers`, async ({ expect }) => {
          if (installed && !(await installed())) return void process.stdout.write(`${name} is not installed; its tests are skipped\n`);
          const path = `/${mode}?${encodeURIComponent(name)}`;
          expect(await get(`http://127.0.0.1:${served.port}${path}`)).toBe(200);
          expect(answered.get(path)).toEqual([429, 200]);
        });
  });

  describe.concurrent("a request that can never succeed is tried once:", () => {
    for (const { name, get, installed } of clients)
      for (const [what, status] of [
        ["never", 403],
        ["anonymous", 401],
      ] as const)
        test(`${name}, refused with ${status}`, async ({ expect }) => {
          if (installed && !(await installed())) return void process.stdout.write(`${name} is not installed; its tests are skipped\n`);
          const path = `/${what}?${encodeURIComponent(name)}`;
          await get(`http://127.0.0.1:${served.port}${path}`).catch(() => {});
          expect(answered.get(path)).toEqual([status]);
        });
  });

  test.each([
    ["legacy", 100, 100, 0.6],
    ["draft-6", 150, 149, 90],
    ["draft-7", 150, 149, 90],
  ] as const)("ratelimit-header-parser reads %s headers", async (mode, limit, remaining, resetSeconds) => {
    const reply = await fetch(`http://127.0.0.1:${served.port}/read/${mode}`);
    const read = parseRateLimit(reply);
    expect(read).toMatchObject({ limit, used: limit - remaining, remaining });
    const wait = ((read?.reset?.getTime() ?? 0) - Date.now()) / 1000;
    expect(Math.abs(wait - resetSeconds), `reset in ${wait} s`).toBeLessThan(2);
  });
}

/** Allows one token per second for each URL, and empties the bucket on the URL's first request. */
function appOn(backend: TableBackend, answered: Map<string, number[]>): App {
  const asks = (["legacy", "draft-8"] as const).map((headers) => {
    const limiter = new RateLimiter({ rate: 1, period: 1, name: headers, backend });
    const key = ({ url }: AnyRequest): string => {
      if (!answered.has(url)) limiter.checkSync(`key:${url}`);
      return url;
    };
    return route(`/${headers}`, [{ call: "rateLimit", options: { limiter, headers, key } }]);
  });
  const reads = (["legacy", "draft-6", "draft-7"] as const satisfies readonly HeaderMode[]).map((headers) =>
    route(`/read/${headers}`, [{ call: "rateLimit", options: { rate: 100, period: 60, burst: 150, backend, headers } }], ok),
  );
  const never = route("/never", [{ call: "rateLimit", options: { rate: 5, cost: () => 9, backend, name: "never" } }]);
  const anonymous = route("/anonymous", [
    { call: "limitByApiKey", options: { rate: 5, valid: () => false, anonymous: "refuse", backend, name: "anonymous" } },
  ]);
  return {
    proxied: false,
    fields: {},
    early: (res) => {
      const { url = "" } = res.req;
      res.once("finish", () => answered.set(url, [...(answered.get(url) ?? []), res.statusCode]));
    },
    limiters: [],
    routes: [...asks, ...reads, never, anonymous],
    mount: "",
  };
}
