import rateLimit, { limitByUser } from "@ratelimit/fastify";
import Fastify from "fastify";
import { expect, test } from "vitest";

test("limitByUser on a route declared before the plugin runs before the route's preHandlers and warns", async () => {
  const codes: (string | undefined)[] = [];
  const hear = (warning: Error & { code?: string }): void => void codes.push(warning.code);
  process.on("warning", hear);
  const ran: string[] = [];
  const limit = limitByUser({ rate: 5, user: () => ran.push("limit") });
  const app = Fastify();
  app.get("/", { preHandler: async () => void ran.push("route"), config: { rateLimit: limit } }, async () => "ok");
  await app.register(rateLimit);
  for (const _ of [1, 2]) expect((await app.inject("/")).headers["x-ratelimit-limit"]).toBe("5");
  await expect.poll(() => codes).toEqual(["RATELIMIT_ROUTE_BEFORE_PLUGIN"]);
  expect(ran).toEqual(["limit", "route", "limit", "route"]);
  process.off("warning", hear);
});
