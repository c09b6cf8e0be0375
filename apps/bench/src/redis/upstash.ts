import { createHash } from "node:crypto";
import type { Redis as UpstashRedis } from "@upstash/redis";
import type { Redis } from "ioredis";

/**
 * Implements the part of Upstash's HTTP client that its limiter uses, on a connection to our own Redis.
 *
 * Its scripts begin with a line for Upstash's servers, which Redis 7.0 rejects. Without that line, a script has a different SHA-1.
 */
export function upstashClient(client: Redis): UpstashRedis {
  const loadedAs = new Map<string, string>();
  const shim = {
    evalsha: async (sha1: string, keys: readonly string[], args: readonly unknown[]): Promise<unknown> => {
      const name = loadedAs.get(sha1);
      if (name === undefined) throw new Error("NOSCRIPT");
      return client.evalsha(name, keys.length, ...keys, ...args.map(String));
    },
    eval: async (script: string, keys: readonly string[], args: readonly unknown[]): Promise<unknown> => {
      const lua = script.replace(/^#!.*\n/, "");
      loadedAs.set(sha1Of(script), sha1Of(lua));
      return client.eval(lua, keys.length, ...keys, ...args.map(String));
    },
  };
  return shim as unknown as UpstashRedis;
}

function sha1Of(script: string): string {
  return createHash("sha1").update(script).digest("hex");
}
