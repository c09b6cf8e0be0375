import { readFileSync } from "node:fs";
import { type Backend, RateLimiter } from "@ratelimit/core";
import { clientIp } from "@ratelimit/core/http";
import { describe, expect, test } from "vitest";
import { trustRule } from "../../src/http/request/client-ip.ts";

/** Advisories about address handling in other libraries. Those that show only on the wire are in httpSuite. */
describe("advisories", () => {
  test("CVE-2026-30827, GHSA-46wh-pxpv-q5gq (express-rate-limit): an IPv4 client on a dual-stack socket is not masked as IPv6", () => {
    for (const ipv6Prefix of [32, 56, 64])
      expect(["::ffff:198.51.100.1", "::ffff:203.0.113.9"].map((address) => clientIp(address, {}, { ipv6Prefix }))).toEqual([
        "198.51.100.1",
        "203.0.113.9",
      ]);
  });

  test("express-rate-limit #667: an address is IPv4 by its bits, not by its notation", () => {
    expect(clientIp("::ffff:102:304", {})).toBe("1.2.3.4");
    expect(clientIp("2001:db8::1.2.3.4", {})).toBe("2001:db8::/64");
    expect(clientIp("::1.2.3.4", {})).toBe("::/64");
  });

  test("GHSA-5847-rm3g-23mw (openclaw): one client in two notations is one key", () => {
    expect(new Set(["1.2.3.4", "::ffff:1.2.3.4", "::ffff:102:304", "[::ffff:1.2.3.4]:80"].map((address) => clientIp(address, {})))).toEqual(
      new Set(["1.2.3.4"]),
    );
  });

  test.each(["::ffff:10.0.0.0/8", "::ffff:10.0.0.0/95", "::ffff:0:0/0", "::ffff:a00:0/8"])(
    "CVE-2026-90711, CVE-2026-92395 (proxy-addr): %s, which would trust all of IPv4, is rejected",
    (network) => {
      expect(trustRule.accepts([network])).toBe(false);
    },
  );

  test("::ffff:10.0.0.0/104 is understood as 10.0.0.0/8", () => {
    const trust = ["::ffff:10.0.0.0/104"];
    const from = (proxy: string): string => clientIp(proxy, { "x-forwarded-for": "203.0.113.9" }, { trust });
    expect(["10.1.2.3", "::ffff:10.1.2.3", "11.1.2.3"].map(from)).toEqual(["203.0.113.9", "203.0.113.9", "11.1.2.3"]);
  });

  test("an IPv6 network never trusts IPv4, nor the other way around", () => {
    const from = (proxy: string, trust: string): string => clientIp(proxy, { "x-forwarded-for": "203.0.113.9" }, { trust: [trust] });
    for (const network of ["::/0", "::/64", "::1/80"]) expect(from("10.1.2.3", network), network).toBe("10.1.2.3");
    expect(from("2001:db8::1", "0.0.0.0/0")).toBe("2001:db8::/64");
  });

  test("CVE-2026-16732, GHSA-3m5p-2c4r-xxw2 (fastify): a hop count trusts the peer, and no more hops than it says", () => {
    const direct = clientIp("203.0.113.66", { "x-forwarded-for": "1.1.1.1, 2.2.2.2" }, { trust: 1 });
    expect(direct, "a client that bypasses the proxy can claim any address, so docs/http.md recommends networks").toBe("2.2.2.2");
    expect(clientIp("203.0.113.66", { "x-forwarded-for": "1.1.1.1, 2.2.2.2" }, { trust: ["10.0.0.0/8"] })).toBe("203.0.113.66");
  });

  test("CVE-2026-18174, GHSA-2849-m2w7-xm8f (@fastify/forwarded): tabs around an address are trimmed", () => {
    expect(clientIp("10.0.0.7", { "x-forwarded-for": "1.1.1.1,\t203.0.113.9\t" }, { trust: 1 })).toBe("203.0.113.9");
  });

  test("CVE-2026-47674, CVE-2026-39409, CVE-2026-24398 (hono): addresses are compared by their bits, and octets above 255 are invalid", () => {
    expect(
      new Set(["2001:DB8::0001", "2001:db8:0:0::1", "2001:0db8::1"].map((address) => clientIp(address, {}, { ipv6Prefix: 128 }))),
    ).toEqual(new Set(["2001:db8::1/128"]));
    expect(clientIp("192.168.0.256", {})).toBe("unknown");
  });

  test("CVE-2023-42282, CVE-2024-29415 (ip), CVE-2026-42338, CVE-2026-101910 (ip-address): addresses are parsed without a third-party package", () => {
    const { dependencies } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { dependencies?: object };
    expect(dependencies).toBeUndefined();
    expect(["0x7f.1", "010.1.1.1", "127.1", "2130706433"].map((address) => clientIp(address, {}))).toEqual(Array(4).fill("unknown"));
  });

  test("CVE-2026-45364 (better-auth): a customer's /64 is one client, and a key's kind and value cannot be confused", () => {
    const rotated = Array.from({ length: 1000 }, (_, i) => clientIp(`2001:db8:0:1::${i.toString(16)}`, {}));
    expect(new Set(rotated)).toEqual(new Set(["2001:db8:0:1::/64"]));
  });

  test("CVE-2016-4423 (Symfony): a key of any length takes no more memory than a short one", async () => {
    const asked: string[] = [];
    const take: Backend["take"] = (_scope, key) => {
      asked.push(key);
      return { allowed: true, used: 0 };
    };
    const backend: Backend = { take, adjust: take, block() {}, reset() {}, close() {} };
    await new RateLimiter({ rate: 1, name: "api", backend }).check("k".repeat(10_000_000));
    expect(asked[0]).toMatch(/^%sha256:[0-9a-f]{64}$/);
  });
});
