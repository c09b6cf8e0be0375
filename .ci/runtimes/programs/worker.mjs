// The program as a Worker: a request runs it and gets a line for each thing that worked.
import { safeRedisOptions } from "@ratelimit/backend-redis";
import { Redis } from "ioredis";
import { inProcess, inRedis } from "./program.mjs";

export default {
  /**
   * @param {unknown} _request
   * @param {{ readonly REDIS_URL: string }} env
   */
  async fetch(_request, env) {
    await inProcess();
    // A bundle has no package to load ioredis from, so it brings a client.
    await inRedis(env.REDIS_URL, "worker", (url) => ({ client: new Redis(url, safeRedisOptions) }));
    return new Response("in process\nredis\n");
  },
};
