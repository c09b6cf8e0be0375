import { rateLimit } from "@ratelimit/express";
import express, { type Express } from "express";
import inject from "light-my-request";
import serverless from "serverless-http";
import { afterAll, expect, test } from "vitest";

// light-my-request replaces the prototypes of Express's requests and responses, for all files that share this process.
const replaced = [express.request, express.response].map((owner) => ({ owner, prototype: Object.getPrototypeOf(owner) as object }));
afterAll(() => {
  for (const { owner, prototype } of replaced) Object.setPrototypeOf(owner, prototype);
});

/** Creates an app whose limit counts only failures, and a list of the statuses that its `refund` has seen. */
function logIn(): { app: Express; seen: number[] } {
  const seen: number[] = [];
  const app = express();
  app.use(rateLimit({ rate: 2, refund: (_req, status) => seen.push(status) > 0 && status < 400 }));
  app.get("/:status", (req, res) => void res.sendStatus(Number(req.params.status)));
  return { app, seen };
}

const event = { httpMethod: "GET", headers: {}, requestContext: { identity: { sourceIp: "203.0.113.1" } } };

/** Ways to send a request to an app that has no server. light-my-request is last because of the prototypes that it replaces. */
const ways: readonly (readonly [string, (app: Express) => (url: string) => Promise<number>])[] = [
  [
    "serverless-http, as on AWS Lambda",
    (app) => {
      const handle = serverless(app);
      return async (path) => ((await handle({ ...event, path }, {})) as { statusCode: number }).statusCode;
    },
  ],
  ["light-my-request", (app) => async (url) => (await inject(app as never, url)).statusCode],
];

test.each(ways)("without a socket (%s), refund sees the status that was sent", async (_, way) => {
  const { app, seen } = logIn();
  const ask = way(app);
  for (let i = 0; i < 4; i++) {
    expect(await ask("/200")).toBe(200);
    await expect.poll(() => seen.length).toBe(i + 1);
  }
  expect([await ask("/401"), await ask("/401"), await ask("/200")]).toEqual([401, 401, 429]);
  await expect.poll(() => seen).toEqual([200, 200, 200, 200, 401, 401]);
});
