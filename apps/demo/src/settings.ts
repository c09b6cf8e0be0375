import { configFromEnv, type RateLimitConfig, RateLimitError } from "@ratelimit/core";
import type { Servers } from "./backends.ts";

export type Environment = Record<string, string | undefined>;

/** What the environment says. */
export interface Settings {
  readonly config: RateLimitConfig;
  readonly servers: Servers;
  /** The port of the first server; those of the others follow. */
  readonly port: number;
}

/**
 * Reads RATELIMIT_*, REDIS_CLUSTER and PORT.
 * @throws {RateLimitError} INVALID_CONFIG; a password is never shown.
 */
export function readSettings(env: Environment): Settings {
  // A rate of the user's own has a burst of its own.
  const config = configFromEnv(env, env["RATELIMIT_RATE"] === undefined && env["RATELIMIT_BURST"] === undefined ? { burst: 150 } : {});
  return {
    config,
    servers: { redisUrl: config.redisUrl, redisCluster: env["REDIS_CLUSTER"]?.split(",").map((node) => node.trim()) },
    port: portIn(env["PORT"] ?? "3000"),
  };
}

function portIn(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port < 65_536) return port;
  throw new RateLimitError(
    "INVALID_CONFIG",
    `Expected \`PORT\` to be 0 to 65535, got ${JSON.stringify(text)}: correct it, or unset it for 3000`,
  );
}
