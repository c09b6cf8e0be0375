import { warnOnce } from "@ratelimit/core/backend";
import { atMostEvery } from "../at-most-every.ts";
import { isClusterDown, isReply } from "../failure.ts";
import { slotOf } from "../slots.ts";
import { type Client, type ClientEvents, type Emitter, once } from "./client.ts";

/** The part of ioredis and iovalkey that the backend uses. A `Redis` or `Cluster` of ioredis 5 or 6 or of iovalkey has it. */
export interface IoredisClient extends Emitter {
  readonly status: string;
  evalsha(sha1: string, keys: number, ...args: string[]): Promise<unknown>;
  eval(lua: string, keys: number, ...args: string[]): Promise<unknown>;
  info(): Promise<unknown>;
  connect(): Promise<unknown>;
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
  nodes?(role: "master"): IoredisClient[];
  /** Only on a Cluster: the servers of each slot as `host:port`, the master first. */
  readonly slots?: readonly (readonly string[] | undefined)[];
  /** Only on a Cluster: asks the nodes for the slots, one at a time in random order, until one answers. */
  refreshSlotsCache?(): void;
}

const methods = ["evalsha", "eval", "info", "connect", "on", "off"] as const;

export function isIoredis(value: object): value is IoredisClient {
  const client = value as Partial<IoredisClient>;
  return typeof client.status === "string" && methods.every((method) => typeof client[method] === "function");
}

export function adaptIoredis(client: IoredisClient): Client {
  warnOfIoredis(client);
  return new Ioredis(client);
}

/** The events that show whether a client has connected or failed to. */
const outcomes = ["ready", "error", "close", "end"] as const;

/** A `Redis` or `Cluster` of ioredis or iovalkey. It connects by itself, and keeps the order of its calls. */
export class Ioredis implements Client {
  readonly isCluster: boolean;
  readonly keepsOrder = true;
  readonly #client: IoredisClient;
  readonly #mayRefresh = atMostEvery(500);

  constructor(client: IoredisClient) {
    this.#client = client;
    this.isCluster = client.slots !== undefined;
  }

  evalsha(sha1: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#client.evalsha(sha1, keys.length, ...keys, ...args);
  }

  eval(lua: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#client.eval(lua, keys.length, ...keys, ...args);
  }

  info(): Promise<unknown> {
    return this.#client.info();
  }

  /** A pipeline would stay in memory with all its commands until the next full garbage collection, which cost a fifth of the time. */
  inOneWrite<T>(key: string, send: () => T): T {
    const socket = this.#socketTo(key);
    socket?.cork();
    try {
      return send();
    } finally {
      socket?.uncork();
    }
  }

  serverOf(key: string): string {
    const { slots, options } = this.#client;
    // ioredis adds its own prefix to the key, and the server computes the slot from both.
    return slots?.[slotOf(`${options?.keyPrefix ?? ""}${key}`)]?.[0] ?? "";
  }

  #socketTo(key: string): IoredisClient["stream"] {
    if (!this.isCluster) return this.#client.stream;
    const server = this.serverOf(key);
    return this.#masters().find(({ options }) => `${options?.host}:${options?.port}` === server)?.stream;
  }

  /** Connects a client that was opened with `lazyConnect`. */
  async connected(signal: AbortSignal): Promise<void> {
    await firstOutcome(this.#client, signal);
    await Promise.all(this.#masters().map((node) => firstOutcome(node, signal)));
  }

  #masters(): IoredisClient[] {
    return this.#client.nodes?.("master") ?? [];
  }

  listen(events: ClientEvents): () => void {
    const close = (): void => forgetSocketTimeout(this.#client);
    const listeners = { ready: events.ready, error: events.error, "node error": events.error, close } as const;
    for (const [event, listener] of Object.entries(listeners)) this.#client.on(event, listener);
    return () => {
      for (const [event, listener] of Object.entries(listeners)) this.#client.off(event, listener);
    };
  }

  errorOf(error: unknown): unknown {
    return error;
  }

  failed(error: unknown): void {
    // A node that cannot be reached, or cannot reach the others, may have lost its slots to them. iovalkey would never ask.
    if (isClusterDown(error) || (!isReply(error) && this.#mayRefresh())) this.#client.refreshSlotsCache?.();
  }
}

/**
 * Clears the deadline of a call that waited on the connection that has just closed. ioredis 5 leaves it running, and then closes the next
 * connection when it ends: two seconds after a restart, Redis would be out once more.
 */
function forgetSocketTimeout(client: IoredisClient): void {
  const waiting = client as { socketTimeoutTimer?: NodeJS.Timeout | undefined };
  clearTimeout(waiting.socketTimeoutTimer);
  waiting.socketTimeoutTimer = undefined;
}

async function firstOutcome(client: IoredisClient, signal: AbortSignal): Promise<void> {
  if (client.status === "wait") client.connect().catch(() => {});
  if (client.status === "connecting" || client.status === "connect") await once(client, outcomes, signal);
}

/** Warns once if a client that the user opened could send calls late or twice, because buckets would be charged for them. */
export function warnOfIoredis({ options, slots }: IoredisClient): void {
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
