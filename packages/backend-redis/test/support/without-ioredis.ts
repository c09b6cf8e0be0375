import { RedisBackend, safeRedisOptions } from "@ratelimit/backend-redis";
import { RateLimiter } from "@ratelimit/core";
import { Redis } from "iovalkey";

/** What the program prints. */
export interface Without {
  /** The error of a backend that would need ioredis. */
  readonly code: string;
  readonly message: string;
  /** What decided a call through a client of iovalkey. */
  readonly source: string;
}

const url = process.argv[2] as string;
let error = { code: "none", message: "" };
try {
  new RedisBackend({ url });
} catch (thrown) {
  error = thrown as typeof error;
}
const client = new Redis(url, safeRedisOptions);
const backend = new RedisBackend({ client });
const { source } = await new RateLimiter({ name: "without", rate: 10, backend }).check("key");
await backend.close();
client.disconnect();
process.stdout.write(JSON.stringify({ code: error.code, message: error.message, source } satisfies Without));
