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
