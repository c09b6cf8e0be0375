import { warnOnce } from "@ratelimit/core/backend";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { isBy, type Opening } from "./options.ts";

/** The few calls of an ioredis client that are used: a `Redis` or a `Cluster`, of version 5 or 6. */
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
    /** Of a Cluster only. */
    readonly retryDelayOnFailover?: number | undefined;
  };
  /** What it writes to, while it is connected; of a Cluster only its nodes have one. */
  readonly stream?: { cork(): void; uncork(): void } | undefined;
  /** Of a Cluster only. */
  nodes?(role: "master"): RedisClient[];
  /** Of a Cluster only: for each slot its servers, the master first, as `host:port`. */
  readonly slots?: readonly (readonly string[] | undefined)[];
  /** Of a Cluster only: asks one node after the other for the slots, in no order, until one answers. */
  refreshSlotsCache?(): void;
}

/** A client that we opened, so that we close it too. */
export interface OwnClient extends RedisClient {
  quit(): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
}

const [firstRetryMs, lastRetryMs] = [50, 500];

/** 50 ms doubling to 500 ms, a fifth of it by chance, so that processes do not return all at once. */
function backOff(times: number): number {
  return Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(times - 1, 10)) * (0.8 + Math.random() * 0.2);
}

/**
 * What we open a `Redis` with; for those who open their own.
 *
 * A call fails at once where it cannot be sent, is never sent twice, and the client returns within half a second of the server.
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
  // A connection on which a call stays without any data for so long is given up: the network may have swallowed it.
  socketTimeout: 2000,
  maxLoadingRetryTime: 500,
  retryStrategy: backOff,
  // There may be another master by now, under this name.
  reconnectOnError: ({ message }: Error): 1 | false => (/^(READONLY|NOREPLICAS) /.test(message) ? 1 : false),
});

/**
 * What we open a `Cluster` with; for those who open their own.
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

/** Warns once if a client that the user opened would send calls late or twice, and so charge buckets for them. */
export function warnOfRisks({ options, slots }: RedisClient): void {
  if (options === undefined) return;
  if (options.enableOfflineQueue !== false || options.maxRetriesPerRequest === null)
    warnOnce(
      "RATELIMIT_CLIENT_QUEUES",
      "The ioredis client queues or repeats calls while Redis is out, so calls that were decided otherwise are charged later; open it with safeRedisOptions or safeClusterOptions",
    );
  const isCluster = slots !== undefined;
  // Without retries a `Redis` rejects the calls in flight when its connection breaks, so it has none to send again.
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

/** Replies as version 5 of ioredis gave them, whatever the options say. */
const replies = { replyMapping: "legacy" } as const;

/** Opens what the options name; what they say to ioredis goes before what we hold to be safe. */
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

/** Copies the options that are not undefined, inherited ones too. An undefined one would replace our safe default by that of ioredis. */
function given<T extends object>(options: T | undefined): Partial<T> {
  const all: Partial<T> = {};
  for (const name in options) if (options[name] !== undefined) all[name] = options[name];
  return all;
}

/** Read here, for ioredis takes more for an address than `redisUrlRule` lets through. */
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
