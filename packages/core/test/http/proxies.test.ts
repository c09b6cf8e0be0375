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
    responseHeader: () => undefined,
    proxyAdvice: () => forwardedIgnored,
  });
  const warned = once(process, "warning") as Promise<[Error & { code: string }]>;
  const watch = proxyWatch();

  for (let i = 0; i < 10_000; i++) watch(requestOf());
  expect(reads).toBe(1000 + 90);

  for (let i = 0; i < 100; i++) watch(requestOf("198.51.100.7"));
  expect(reads).toBe(1000 + 91);
  expect((await warned)[0].code).toBe("RATELIMIT_FORWARDED_IGNORED");
});
