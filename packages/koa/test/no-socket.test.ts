import { rateLimit } from "@ratelimit/koa";
import Koa from "koa";
import inject from "light-my-request";
import serverless from "serverless-http";
import { expect, test } from "vitest";

/** Creates an app whose limit counts only failures, and a list of the statuses that its `refund` has seen. */
function logIn(): { app: Koa; seen: number[] } {
  const seen: number[] = [];
  const app = new Koa();
  app.use(rateLimit({ rate: 2, refund: (_ctx, status) => seen.push(status) > 0 && status < 400 }));
  app.use((ctx) => {
    ctx.status = Number(ctx.path.slice(1));
    ctx.body = "done";
  });
  return { app, seen };
}

const event = { httpMethod: "GET", headers: {}, requestContext: { identity: { sourceIp: "203.0.113.1" } } };

/** Ways to send a request to an app that has no server. */
const ways: readonly (readonly [string, (app: Koa) => (url: string) => Promise<number>])[] = [
  [
    "light-my-request",
    (app) => {
      const handle = app.callback();
      return async (url) => (await inject((req, res) => void handle(req, res), url)).statusCode;
    },
  ],
  [
    "serverless-http, as on AWS Lambda",
    (app) => {
      const handle = serverless(app);
      return async (path) => ((await handle({ ...event, path }, {})) as { statusCode: number }).statusCode;
    },
  ],
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
