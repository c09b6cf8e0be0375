import { listen } from "@ratelimit/conformance";
import { rateLimit } from "@ratelimit/express";
import { warningsOf } from "@ratelimit/testbed/warnings";
import express, { type RequestHandler } from "express";
import { expect, test } from "vitest";

async function threeRequests(app: express.Express): Promise<number[]> {
  const served = await listen(app.get("/", (_req, res) => void res.send("ok")));
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) statuses.push((await fetch(`http://127.0.0.1:${served.port}/`)).status);
  await served.close();
  return statuses;
}

test("limits made at startup do not warn, however many there are", async () => {
  const app = express();
  for (let i = 0; i < 10; i++) app.use(rateLimit({ rate: 100, trust: false }));
  expect(await warningsOf(() => threeRequests(app))).toEqual([]);
});

test("a limit made for every request never limits, and the second one warns", async () => {
  const handler: RequestHandler = (req, res, next) => rateLimit({ rate: 1, trust: false })(req, res, next);
  let statuses: number[] = [];
  const warnings = await warningsOf(async () => {
    statuses = await threeRequests(express().use(handler));
  });
  expect(statuses).toEqual([200, 200, 200]);
  expect(warnings.map(({ code }) => code)).toEqual(["RATELIMIT_MADE_IN_HANDLER"]);
  expect(warnings[0]?.message).toMatch(/call rateLimit once, outside of the handler/);
});
