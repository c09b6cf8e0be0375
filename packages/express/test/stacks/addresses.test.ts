import middie from "@fastify/middie";
import { listen } from "@ratelimit/conformance";
import { rateLimit } from "@ratelimit/express";
import { warningsOf } from "@ratelimit/testbed/warnings";
import connect from "connect";
import Fastify from "fastify";
import { expect, test } from "vitest";

test("in middie, clients are told apart as Fastify's trustProxy does, without a warning", async () => {
  const app = Fastify({ trustProxy: "loopback" });
  await app.register(middie);
  app.use(rateLimit({ rate: 1 }));
  app.get("/", async () => "ok");
  const found: number[] = [];
  const warnings = await warningsOf(async () => {
    for (const address of ["203.0.113.1", "203.0.113.1", "203.0.113.2"])
      found.push((await app.inject({ url: "/", headers: { "x-forwarded-for": address } })).statusCode);
  });
  expect([found, warnings.map(({ code }) => code)]).toEqual([[200, 429, 200], []]);
});

test("on plain Node requests, a proxy that nothing trusts is warned about, and trust takes its word", async () => {
  const found: number[] = [];
  const warnings = await warningsOf(async () => {
    for (const options of [{ rate: 1, trust: 1 }, { rate: 1 }]) {
      const served = await listen(
        connect()
          .use(rateLimit(options))
          .use((_req, res) => res.end("ok")),
      );
      for (const address of ["203.0.113.1", "203.0.113.2"])
        found.push((await fetch(`http://127.0.0.1:${served.port}/`, { headers: { "x-forwarded-for": address } })).status);
      await served.close();
    }
  });
  expect([found, warnings.map(({ code }) => code)]).toEqual([[200, 200, 200, 429], ["RATELIMIT_FORWARDED_IGNORED"]]);
});
