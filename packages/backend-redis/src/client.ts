import { warnOnce } from "@ratelimit/core/backend";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { isBy, type Opening } from "./options.ts";

/** The part of an ioredis client that the backend uses. A `Redis` or `Cluster` of version 5 or 6 has it. */
export interface RedisClient {
  readonly status: string;
  evalsha(sha1: string, keys: number, ...args: string[]): Promise<unknown>;
  eval(lua: string, keys: number, ...args: string[]): Promise<unknown>;
  info(): Promise<unknown>;
  connect(): Promise<unknown>;
  on(event: string, listener: (error: Error) => void): unknown;
  off(event: string, listener: (error: Error) => void): unknown;
  readonly options?: {
    readonly enableOfflineQueue?: boolean | undefined;
    readonly maxRetriesPerRequest?: number | null | undefined;
    readonly host?: string | undefined;
    readonly port?: number | undefined;
    readonly keyPrefix?: string | undefined;
    readonly autoResendUnfulfilledCommands?: boolean | undefined;
    /** Only on a Cluster. */
    readonly retryDelayOnFailover?: number | undefined;
  };
  /** The socket, while the client is connected. A Cluster has none, but each of its nodes does. */
  readonly stream?: { cork(): void; uncork(): void } | undefined;
  /** Only on a Cluster. */
  nodes?(role: "master"): RedisClient[];
  /** Only on a Cluster: the servers of each slot as `host:port`, the master first. */
  readonly slots?: readonly (readonly string[] | undefined)[];
  /** Only on a Cluster: asks the nodes for the slots, one at a time in random order, until one answers. */
  refreshSlotsCache?(): void;
}

/** A client that the backend opened, and therefore closes. */
export interface OwnClient extends RedisClient {
  quit(): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
}

const [firstRetryMs, lastRetryMs] = [50, 500];

/** Doubles from 50 ms to 500 ms, less a random part of up to a fifth, so that processes do not all reconnect at once. */
function backOff(times: number): number {
  return Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(times - 1, 10)) * (0.8 + Math.random() * 0.2);
}

/**
 * The options with which the backend opens a `Redis`, for you to open your own with.
 *
 * A call that cannot be sent fails at once, and no call is sent twice. The client reconnects within half a second of the server's return.
 *
 * @example
 * const client = new Redis({ host: "cache.internal", ...safeRedisOptions });
 * const backend = new RedisBackend({ client });
 */
export const safeRedisOptions: {
  readonly enableOfflineQueue: false;
  readonly maxRetriesPerRequest: 0;
  readonly autoResendUnfulfilledCommands: false;
  readonly connectTimeout: number;
  readonly disconnectTimeout: number;
  readonly socketTimeout: number;
  readonly maxLoadingRetryTime: number;
  readonly retryStrategy: (times: number) => number;
  readonly reconnectOnError: (error: Error) => 1 | false;
} = Object.freeze({
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: 2000,
  disconnectTimeout: 1000,
  // A call that receives no data for this long ends its connection, because the network may have lost it silently.
  socketTimeout: 2000,
  maxLoadingRetryTime: 500,
  retryStrategy: backOff,
  // The same name may lead to another master by now.
  reconnectOnError: ({ message }: Error): 1 | false => (/^(READONLY|NOREPLICAS) /.test(message) ? 1 : false),
});

/**
 * The options with which the backend opens a `Cluster`, for you to open your own with.
 *
 * @example
 * const client = new Cluster([{ host: "node-1.internal", port: 6379 }], safeClusterOptions);
 * const backend = new RedisBackend({ client });
 */
export const safeClusterOptions: {
  readonly enableOfflineQueue: false;
  readonly retryDelayOnFailover: 0;
  readonly retryDelayOnClusterDown: 0;
  readonly clusterRetryStrategy: (times: number) => number;
  readonly redisOptions: Pick<typeof safeRedisOptions, "connectTimeout" | "disconnectTimeout" | "socketTimeout" | "maxLoadingRetryTime">;
} = Object.freeze({
  enableOfflineQueue: false,
  retryDelayOnFailover: 0,
  retryDelayOnClusterDown: 0,
  clusterRetryStrategy: backOff,
  redisOptions: Object.freeze({ connectTimeout: 2000, disconnectTimeout: 1000, socketTimeout: 2000, maxLoadingRetryTime: 500 }),
});

/** Warns once if a client that the user opened could send calls late or twice, because buckets would be charged for them. */
export function warnOfRisks({ options, slots }: RedisClient): void {
  if (options === undefined) return;
  if (options.enableOfflineQueue !== false || options.maxRetriesPerRequest === null)
    warnOnce(
      "RATELIMIT_CLIENT_QUEUES",
      "The ioredis client queues or repeats calls while Redis is down, so calls that were already decided without it are charged later; open it with safeRedisOptions or safeClusterOptions",
    );
  const isCluster = slots !== undefined;
  // Without retries, a `Redis` rejects the calls in flight when its connection breaks, so it has none to resend.
  const isSafe = isCluster
    ? options.retryDelayOnFailover === 0
    : options.autoResendUnfulfilledCommands === false || options.maxRetriesPerRequest === 0;
  if (isSafe) return;
  const fix = isCluster
    ? "set `retryDelayOnFailover: 0`, or open it with safeClusterOptions"
    : "set `autoResendUnfulfilledCommands: false` and `maxRetriesPerRequest: 0`, or open it with safeRedisOptions";
  warnOnce(
    "RATELIMIT_CLIENT_RESENDS",
    `The ioredis client sends a call again if its connection breaks before the reply, so the call may be charged twice; ${fix}`,
    isCluster ? "Cluster" : "Redis",
  );
}

/** Makes ioredis 6 reply as version 5 does. The user's options cannot change this. */
const replies = { replyMapping: "legacy" } as const;

/** Opens a client. The ioredis options that the user passes take precedence over the safe ones. */
export function open(opening: Opening): OwnClient {
  if (isBy(opening, "url")) return new Redis({ ...safeRedisOptions, ...addressOf(opening.url), ...replies });
  if (isBy(opening, "sentinels")) {
    const { sentinels, name } = opening;
    return new Redis({ ...safeRedisOptions, ...given(opening.options), sentinels: [...sentinels], name, ...replies });
  }
  const { redisOptions, ...options } = given(opening.options);
  return new Cluster([...opening.cluster], {
    ...safeClusterOptions,
    ...options,
    redisOptions: { ...safeClusterOptions.redisOptions, ...given(redisOptions), ...replies },
  });
}

/** Copies all defined options, including inherited ones. An undefined one would replace a safe default with that of ioredis. */
function given<T extends object>(options: T | undefined): Partial<T> {
  const all: Partial<T> = {};
  for (const name in options) if (options[name] !== undefined) all[name] = options[name];
  return all;
}

/** Parses the URL here, because ioredis accepts more than `redisUrlRule` does and could read the address differently. */
function addressOf(url: string): RedisOptions {
  const { protocol, hostname, port, username, password, pathname, searchParams } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || 6379),
    db: Number(pathname.slice(1)),
    family: Number(searchParams.get("family") ?? 0),
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" && { tls: {} }),
  };
}
