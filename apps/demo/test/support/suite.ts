import { setTimeout as sleep } from "node:timers/promises";
import { defineConfig } from "@ratelimit/core";
import { describe, expect, test } from "vitest";
import type { BackendRow } from "../../src/backends.ts";
import { frameworks } from "../../src/frameworks.ts";
import { freshPrefix, serveFresh } from "./redis.ts";
import { get, getMany, limitFields, remaining, retryAfter } from "./requests.ts";

/** Tests every framework on one backend, over real HTTP. */
export function suite(backend: BackendRow): void {
  describe.for(frameworks.map((framework) => ({ backend, framework })))("$backend.name, $framework.name", (combination) => {
    test("the middleware admits a burst of 150, then one every 600 ms", async () => {
      const url = await serveFresh(combination);
      const start = performance.now();
      const burst = await getMany(160, `${url}/api/data`);
      expect(burst.admitted).toBeGreaterThanOrEqual(150);
      expect(burst.admitted).toBeLessThanOrEqual(150 + tokens(burst.tookMs, 600));

      await sleep(700);
      const later = await getMany(10, `${url}/api/data`);
      expect(later.admitted).toBeGreaterThanOrEqual(1);
      expect(burst.admitted + later.admitted).toBeLessThanOrEqual(150 + tokens(performance.now() - start, 600));
    });

    test("the middleware counts requests without a route", async () => {
      const url = await serveFresh(combination, defineConfig({ rate: 2, period: "1h", keyPrefix: freshPrefix() }));
      const statuses = (await getMany(3, `${url}/nowhere`)).replies.map(({ status }) => status);
      expect(statuses).toEqual([404, 404, 429]);
    });

    test("an excluded path is never limited, and gets no rate limit headers", async () => {
      const url = await serveFresh(combination, defineConfig({ rate: 1, period: "1h", keyPrefix: freshPrefix() }));
      expect((await getMany(2, `${url}/api/data`)).admitted).toBe(1);
      for (const reply of (await getMany(20, `${url}/health`)).replies) expect([reply.status, ...limitFields(reply)]).toEqual([200]);
      expect((await get(`${url}/health?deep=1`)).status).toBe(200);
      expect((await get(`${url}/health/`)).status).toBe(429);
    });

    test("a route's own limit replaces that of the middleware", async () => {
      const url = await serveFresh(combination, defineConfig({ rate: 1, period: "1h", keyPrefix: freshPrefix() }));
      const { admitted, tookMs } = await getMany(12, `${url}/api/public`);
      expect(admitted).toBeGreaterThanOrEqual(10);
      expect(admitted).toBeLessThanOrEqual(10 + tokens(tookMs, 6000));
      expect((await get(`${url}/api/data`)).status).toBe(200);
    });

    test("each user has a budget, and requests without a user share that of their address", async () => {
      const url = await serveFresh(combination);
      const ada = await getMany(105, `${url}/api/user`, { "X-User": "ada" });
      expect(ada.admitted).toBeGreaterThanOrEqual(100);
      expect(ada.admitted).toBeLessThanOrEqual(100 + tokens(ada.tookMs, 600));
      expect(remaining(await get(`${url}/api/user`, { "X-User": "bob" }))).toBe(99);
      expect(remaining(await get(`${url}/api/user`))).toBe(99);
    });

    test("each API key has a budget, and unknown keys do not get buckets of their own", async () => {
      const url = await serveFresh(combination);
      const asks = ["partner-1", "partner-1", "partner-2", "a guess", "another guess"];
      const left: number[] = [];
      for (const key of asks) left.push(remaining(await get(`${url}/api/partner`, { "X-API-Key": key })));
      expect(left).toEqual([999, 998, 999, 999, 998]);
    });

    test("a request takes a token from both limits of a policy or from neither", async () => {
      const url = await serveFresh(combination);
      const first = await getMany(30, `${url}/api/report`);
      expect(first.admitted).toBeGreaterThanOrEqual(10);
      expect(first.admitted).toBeLessThanOrEqual(Math.min(20, 10 + tokens(first.tookMs, 100)));
      const last = first.replies.at(-1)!;
      expect(last.headers.get("ratelimit")).toContain(`"hour";r=${20 - first.admitted};`);

      await sleep(1100);
      const second = await getMany(12, `${url}/api/report`);
      expect(second.admitted).toBe(20 - first.admitted);
      const refusal = second.replies.at(-1)!;
      expect(refusal.headers.get("x-ratelimit-limit")).toBe("20");
      expect(retryAfter(refusal)).toBeGreaterThan(150);
      expect(retryAfter(refusal)).toBeLessThanOrEqual(180);
    });

    test("admitted and refused responses have the right status, headers and body", async () => {
      const url = await serveFresh(combination, defineConfig({ rate: 2, period: 60, keyPrefix: freshPrefix() }));
      const now = Date.now() / 1000;
      const [first, second, third] = (await getMany(3, `${url}/api/data`)).replies;
      expect(first!.status).toBe(200);
      expect(limitFields(first!)).toEqual([
        "x-ratelimit-limit: 2",
        "x-ratelimit-remaining: 1",
        expect.stringMatching(/^x-ratelimit-reset: \d{10}$/),
      ]);
      expect(Number(first!.headers.get("x-ratelimit-reset")) - now).toBeGreaterThan(29);
      expect(Number(first!.headers.get("x-ratelimit-reset")) - now).toBeLessThan(40);
      expect(remaining(second!)).toBe(0);

      expect(third!.status).toBe(429);
      expect(limitFields(third!)[0]).toMatch(/^retry-after: (30|2\d)$/);
      expect(third!.headers.get("content-type")).toBe("application/problem+json");
      expect(third!.headers.get("cache-control")).toBe("no-store");
      expect(JSON.parse(third!.body)).toMatchObject({ status: 429, retryAfter: retryAfter(third!) });
    });

    test("no rate limit header is sent if the configuration turns them off", async () => {
      const url = await serveFresh(combination, defineConfig({ rate: 1, period: 60, includeHeaders: false, keyPrefix: freshPrefix() }));
      for (const path of ["/api/data", "/api/data", "/api/public", "/api/user", "/api/partner", "/api/report"])
        expect(limitFields(await get(url + path))).toEqual([]);
    });
  });
}

/** Returns how many whole tokens may have been added in `ms` milliseconds. Clocks differ by a few ms. */
function tokens(ms: number, everyMs: number): number {
  return Math.floor((ms + 5) / everyMs);
}
