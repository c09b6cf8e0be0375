import { once } from "node:events";
import { expect, test } from "vitest";
import { forwardedIgnored, proxyWatch } from "../../src/http/request/proxies.ts";
import type { HttpRequest } from "../../src/http/request/request.ts";

test("a proxy that appears later is noticed within a hundred requests, without reading the headers of most requests", async () => {
  let reads = 0;
  const requestOf = (forwarded?: string): HttpRequest => ({
    method: "GET",
    url: "/",
    ip: "192.0.2.1",
    socketAddress: "192.0.2.1",
    header: (name) => {
      reads++;
      return name === "x-forwarded-for" ? forwarded : undefined;
    },
    proxyAdvice: () => forwardedIgnored,
  });
  const warned = once(process, "warning") as Promise<[Error & { code: string }]>;
  const watch = proxyWatch();

  for (let i = 0; i < 10_000; i++) watch(requestOf());
  // Each look reads two fields, X-Forwarded-For and Forwarded, unless the first is there.
  expect(reads).toBe(2 * (1000 + 90));

  for (let i = 0; i < 100; i++) watch(requestOf("198.51.100.7"));
  expect(reads).toBe(2 * (1000 + 90) + 1);
  expect((await warned)[0].code).toBe("RATELIMIT_FORWARDED_IGNORED");
});
