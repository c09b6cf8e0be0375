import { createHash } from "node:crypto";
import type { Redis as UpstashRedis } from "@upstash/redis";
import type { Redis } from "ioredis";

/**
 * As much of Upstash's HTTP client as its limiter uses, over a connection to a Redis of our own.
 *
 * Its scripts begin with a line for Upstash's servers that Redis 7.0 refuses; without it they are the same scripts under another name.
 */
export function upstashClient(client: Redis): UpstashRedis {
  const ours = new Map<string, string>();
  const shim = {
    evalsha: async (sha1: string, keys: readonly string[], args: readonly unknown[]): Promise<unknown> => {
      const name = ours.get(sha1);
      if (name === undefined) throw new Error("NOSCRIPT");
      return client.evalsha(name, keys.length, ...keys, ...args.map(String));
    },
    eval: async (script: string, keys: readonly string[], args: readonly unknown[]): Promise<unknown> => {
      const lua = script.replace(/^#!.*\n/, "");
      ours.set(sha1Of(script), sha1Of(lua));
      return client.eval(lua, keys.length, ...keys, ...args.map(String));
    },
  };
  return shim as unknown as UpstashRedis;
}

function sha1Of(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
