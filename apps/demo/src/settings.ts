import { configFromEnv, type RateLimitConfig, RateLimitError } from "@ratelimit/core";
import type { Servers } from "./backends.ts";

export type Environment = Record<string, string | undefined>;

/** The settings from the environment. */
export interface Settings {
  readonly config: RateLimitConfig;
  readonly servers: Servers;
  /** The port of the first server. The others use the ports after it. */
  readonly port: number;
}

/**
 * Reads RATELIMIT_*, REDIS_CLUSTER and PORT.
 * @throws {RateLimitError} INVALID_CONFIG if a value is invalid. The message never contains a password.
 */
export function readSettings(env: Environment): Settings {
  // The demo's burst of 150 belongs to its rate of 100, so it is not used with any other rate.
  const config = configFromEnv(env, env["RATELIMIT_RATE"] === undefined && env["RATELIMIT_BURST"] === undefined ? { burst: 150 } : {});
  return {
    config,
    servers: { redisUrl: config.redisUrl, redisCluster: env["REDIS_CLUSTER"]?.split(",").map((node) => node.trim()) },
    port: portIn(env["PORT"] ?? "3000"),
  };
}

function portIn(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (port < 65_536) return port;
  throw new RateLimitError(
    "INVALID_CONFIG",
    `Expected \`PORT\` to be 0 to 65535, got ${JSON.stringify(value)}: correct it, or unset it for 3000`,
  );
}
