/** Runs a middleware in front of code that throws, without a framework, and prints how often that code ran and how its error ended. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { rateLimit } from "@ratelimit/express";

const limit = rateLimit({ rate: 5 });
const server = createServer((req, res) => {
  let calls = 0;
  limit(req, res, (error) => {
    process.stdout.write(`call ${++calls}: ${error === undefined ? "no error" : "an error"}\n`);
    throw new Error("of the handler");
  });
});
for (const event of ["uncaughtException", "unhandledRejection"] as const)
  process.once(event, (error: unknown) => {
    process.stdout.write(`${event}: ${(error as Error).message}\n`);
    server.close();
    server.closeAllConnections();
  });
server.listen(0, "127.0.0.1", () => {
  fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`).catch(() => {});
});
