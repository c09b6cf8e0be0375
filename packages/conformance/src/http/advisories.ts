import assert from "node:assert/strict";
import { RateLimiter } from "@ratelimit/core";
import { limitFields } from "./client.ts";
import { type Fixture, type HttpRequirement, inTurn, requirement, route, type Site, statuses } from "./requirement.ts";
import { asynchronous } from "./table-backend.ts";
import { eventually } from "./waiting.ts";

/** Sends a request with each X-Forwarded-For, and returns the distinct buckets that they took from. */
async function bucketsOf(fixture: Fixture, site: Site, forwarded: readonly string[]): Promise<string[]> {
  fixture.backend.asked.length = 0;
  await inTurn(forwarded.length, (i) => site.get("/", { "X-Forwarded-For": forwarded[i] as string }));
  return [...new Set(fixture.backend.asked)];
}

/** Tests a requirement twice: with a framework that trusts its proxy, and with `trust: 1`. */
function behindProxy(name: string, verify: (fixture: Fixture, site: Site) => Promise<void>): HttpRequirement {
  return requirement(name, async (fixture) => {
    await verify(fixture, await fixture.site({ proxied: true, limiters: [fixture.limit({ rate: 1000 })] }));
    await verify(fixture, await fixture.site({ limiters: [fixture.limit({ rate: 1000, trust: 1 })] }));
  });
}

/** Advisories against other limiters and their frameworks, tested against this adapter on the wire. */
export const advisories: readonly HttpRequirement[] = [
  behindProxy("CVE-2026-30827 (express-rate-limit): IPv4-mapped clients do not share one bucket", async (fixture, site) => {
    assert.deepEqual(await bucketsOf(fixture, site, ["::ffff:198.51.100.1", "::ffff:203.0.113.9"]), ["ip:198.51.100.1", "ip:203.0.113.9"]);
  }),
  behindProxy("express-rate-limit #667: an IPv6 address that ends in dotted-decimal form is IPv6", async (fixture, site) => {
    assert.deepEqual(await bucketsOf(fixture, site, ["2001:db8::1.2.3.4", "2001:db8::5.6.7.8"]), ["ip:2001:db8::/64"]);
    assert.deepEqual(await bucketsOf(fixture, site, ["::ffff:102:304"]), ["ip:1.2.3.4"]);
  }),
  behindProxy("GHSA-5847-rm3g-23mw (openclaw): 1.2.3.4 and ::ffff:1.2.3.4 share one budget", async (fixture, site) => {
    assert.deepEqual(await bucketsOf(fixture, site, ["1.2.3.4", "::ffff:1.2.3.4", "::FFFF:102:304"]), ["ip:1.2.3.4"]);
  }),
  behindProxy("CVE-2026-45364 (better-auth): addresses in one /64 share one bucket, whatever their spelling", async (fixture, site) => {
    const rotated = Array.from({ length: 20 }, (_, i) => `2001:db8:0:1::${(i * 3001).toString(16)}`);
    assert.deepEqual(await bucketsOf(fixture, site, [...rotated, "2001:0DB8:0000:0001::1", "2001:db8::1:0:0:0:1"]), [
      "ip:2001:db8:0:1::/64",
    ]);
  }),
  behindProxy("CVE-2026-18174 (@fastify/forwarded): a tab is not part of an address", async (fixture, site) => {
    assert.deepEqual(await bucketsOf(fixture, site, ["198.51.100.1,\t203.0.113.9\t", "203.0.113.9"]), ["ip:203.0.113.9"]);
  }),
  behindProxy(
    "CVE-2026-47674, CVE-2026-39409, CVE-2026-24398 (hono): odd spellings and octets above 255 do not create another client",
    async (fixture, site) => {
      assert.deepEqual(await bucketsOf(fixture, site, ["2001:DB8::0:1", "2001:db8:0:0:0:0:0:1"]), ["ip:2001:db8::/64"]);
      assert.deepEqual(await bucketsOf(fixture, site, ["256.0.0.1", "300.300.300.300", "1.2.3.999"]), ["ip:127.0.0.1"]);
    },
  ),
  behindProxy(
    "CVE-2026-110724, CVE-2026-108162, CVE-2026-23848, chi PR 967: a spoofed left-most X-Forwarded-For creates no bucket",
    async (fixture, site) => {
      assert.deepEqual(
        await bucketsOf(
          fixture,
          site,
          Array.from({ length: 20 }, (_, i) => `10.9.8.${i}, 203.0.113.9`),
        ),
        ["ip:203.0.113.9"],
      );
    },
  ),
  behindProxy("CVE-2026-46415 (Caddy Defender): behind a trusted proxy, the client is not the proxy", async (fixture, site) => {
    assert.deepEqual(await bucketsOf(fixture, site, ["198.51.100.1", "198.51.100.2"]), ["ip:198.51.100.1", "ip:198.51.100.2"]);
  }),
  requirement("CVE-2025-59152 (Litestar): X-Forwarded-For is not trusted by default", async (fixture) => {
    const site = await fixture.site({ limiters: [fixture.limit({ rate: 3 })] });
    const headers = (i: number): Record<string, string> => ({
      "X-Forwarded-For": `9.9.9.${i}`,
      "X-Real-IP": `9.9.8.${i}`,
      "CF-Connecting-IP": `9.9.7.${i}`,
    });
    assert.deepEqual(statuses(await inTurn(5, (i) => site.get("/", headers(i)))), [200, 200, 200, 429, 429]);
  }),
  requirement("CVE-2024-45410 (Traefik): having Connection strip a proxy header lifts no limit", async (fixture) => {
    const site = await fixture.site({ proxied: true, limiters: [fixture.limit({ rate: 2, burst: 2 })] });
    const headers = { Connection: "close, X-Forwarded-For, X-Forwarded-Host" };
    assert.deepEqual(statuses(await inTurn(3, () => site.get("/", headers))), [200, 200, 429]);
  }),
  requirement("CVE-2026-3635 (Fastify): a peer's forwarded host and protocol affect neither the key nor the path", async (fixture) => {
    const site = await fixture.site({ proxied: true, limiters: [fixture.limit({ excludePaths: ["/health"] })] });
    const forged = {
      "X-Forwarded-Host": "evil/health",
      "X-Forwarded-Proto": "x://evil/health?",
      Host: "evil",
      "X-Original-URL": "/health",
      "X-Rewrite-URL": "/health",
    };
    await site.get("/", forged);
    assert.deepEqual(fixture.backend.asked, ["ip:127.0.0.1"]);
  }),
  requirement("CVE-2025-71399 (better-auth): //sign-in has no bucket of its own", async (fixture) => {
    const site = await fixture.site({ limiters: [fixture.limit({ rate: 3 })], routes: [route("/sign-in")] });
    const spellings = ["/sign-in", "//sign-in", "/sign-in/", "/SIGN-IN", "/sign-in?x", "/%73ign-in"];
    const replies = await inTurn(spellings.length, (i) => site.get(spellings[i]));
    assert.deepEqual(
      replies.map(({ status }) => status === 429),
      [false, false, false, true, true, true],
    );
  }),
  requirement(
    "CVE-2026-2880, CVE-2026-33804, CVE-2026-33807 (@fastify/middie, @fastify/express): a route under a prefix is limited, however its path is written",
    async (fixture) => {
      const site = await fixture.site({ mount: "/api", routes: [route("/sign-in", [fixture.limit()])] });
      const spellings = [
        "/api/sign-in",
        "/api/sign-in/",
        "/api//sign-in",
        "//api/sign-in",
        "/API/SIGN-IN",
        "/api/%73ign-in",
        "/api/api/sign-in",
        "/api/./sign-in",
        "/api/sign-in?x",
      ];
      for (const path of spellings) {
        const reply = await site.get(path);
        assert.equal(reply.status === 200, limitFields(reply).length === 3, `${path}: an answered request must be a limited one`);
      }
      assert.ok(fixture.backend.asked.length >= 2);
    },
  ),
  requirement("GHSA-984p-xq9m-4rjw (express-brute): concurrent requests are all counted", async (fixture) => {
    const backend = asynchronous(fixture.backend);
    const site = await fixture.site({ limiters: [fixture.limit({ backend, rate: 5, name: "race" })] });
    const replies = await Promise.all(Array.from({ length: 30 }, () => site.get()));
    assert.equal(replies.filter(({ status }) => status === 200).length, 5);
  }),
  requirement("CVE-2026-26330 (Envoy): a backend that fails while settling a response crashes nothing", async (fixture) => {
    let adjusts = 0;
    const backend = {
      inProcess: true as const,
      take: fixture.backend.take.bind(fixture.backend),
      adjust: () => {
        adjusts++;
        throw new Error("of the backend");
      },
      block() {},
      reset() {},
      close() {},
    };
    const limiter = new RateLimiter({ rate: 9, backend });
    const refund = (): boolean => true;
    const site = await fixture.site({ limiters: [fixture.limit({ limiter, refund })] });
    assert.deepEqual(statuses(await inTurn(3, () => site.get())), [200, 200, 200]);
    await eventually("every refund was attempted", () => adjusts === 3);
  }),
  requirement("CVE-2025-64526 (Strapi): nothing a client puts in its request changes the default key", async (fixture) => {
    const site = await fixture.site({ limiters: [fixture.limit({ rate: 2, burst: 2 })] });
    const replies = await inTurn(4, (i) =>
      site.get(`/?email=a${i}@b.example`, { "User-Agent": `agent ${i}`, Cookie: `a=${i}`, Authorization: `Bearer ${i}`, Host: `h${i}` }),
    );
    assert.deepEqual(statuses(replies), [200, 200, 429, 429]);
  }),
];
