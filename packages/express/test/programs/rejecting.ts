/** Sends a request to one route per option whose function rejects, and prints what each got. An unhandled rejection would end this process. */
import type { AddressInfo } from "node:net";
import { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/express";
import type { RequestHandler } from "express";
import newest from "express4";
import oldest from "express4-oldest";

const reject = (): Promise<never> => Promise.reject(new Error("the database is down"));
const backend = { take: reject, adjust: reject, block: reject, reset: reject, close: () => {} };

const limits: Readonly<Record<string, RequestHandler>> = {
  key: rateLimit({ rate: 1, key: reject }),
  skip: rateLimit({ rate: 1, skip: reject }),
  limiter: rateLimit({ limiter: reject }),
  cost: rateLimit({ rate: 1, cost: reject }),
  user: limitByUser({ rate: 1, user: reject }),
  valid: limitByApiKey({ rate: 1, valid: reject }),
  backend: rateLimit({ rate: 1, name: "down", backend }),
  onLimited: rateLimit({ rate: 0, onLimited: reject }),
  refund: rateLimit({ rate: 2, refund: reject }),
};

for (const [version, express] of Object.entries({ newest, oldest })) {
  const app = express();
  app.set("env", "test"); // Express prints no errors then
  for (const [option, limit] of Object.entries(limits)) app.get(`/${option}`, limit, (_req, res) => void res.send("ok"));
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  for (const option of Object.keys(limits)) {
    const { status } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${option}`, {
      headers: { "x-api-key": "a" },
    });
    console.log(version, option, status);
  }
  server.close();
  server.closeAllConnections();
}
