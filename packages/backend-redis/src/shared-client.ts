import { performance } from "node:perf_hooks";
import type { RateLimitError } from "@ratelimit/core/backend";
import type { OwnClient, RedisClient } from "./client.ts";
import { failure, isClusterDown, isCommandTimeout, isMoved, isReply, unusable } from "./failure.ts";
import { readServer, warnOfVersion } from "./server.ts";

/** How many ms the first calls wait for a client that is still connecting. */
const firstReadyMs = 2000;

/** The events that show whether a client has connected or failed to. */
const outcomes = ["ready", "error", "close", "end"] as const;

/** The clients that backends are using. */
const inUse = new WeakMap<RedisClient, SharedClient>();

/**
 * Holds one client and what is known about it and its server.
 *
 * All backends on a client share this, so that together they add one set of listeners and send INFO once.
 */
export class SharedClient {
  readonly client: RedisClient;
  /** Whether one script may use keys of different slots. Once the server has refused that, it is never tried again. */
  keysGoTogether: boolean;
  /** The longest time in ms that a bucket may take to fill on this server. Known once a call has been answered. */
  longestFillMs: number = Number.POSITIVE_INFINITY;
  /** One callback of each backend, called when the client connects. */
  readonly #users = new Set<() => void>();
  readonly #left = new AbortController();
  readonly #own: OwnClient | undefined;
  #lastError: Error | undefined;
  #firstOutcome: Promise<void> | undefined;
  #isFit = false;
  #checking: Promise<void> | undefined;
  readonly #mayReconnect = atMostEvery(500);
  readonly #mayCheckAgain = atMostEvery(1000);

  private constructor(client: RedisClient, own: OwnClient | undefined) {
    this.client = client;
    this.#own = own;
    this.keysGoTogether = client.slots === undefined;
  }

  /** Starts using a client. `own` is the same client if the backend opened it, and `onReady` is called whenever it connects. */
  static join(client: RedisClient, onReady: () => void, own?: OwnClient): SharedClient {
    const shared = inUse.get(client) ?? new SharedClient(client, own);
    if (shared.#users.size === 0) shared.#listen();
    shared.#users.add(onReady);
    return shared;
  }

  /** Stops using the client. The last backend to leave removes the listeners. */
  leave(onReady: () => void): void {
    if (!this.#users.delete(onReady) || this.#users.size > 0) return;
    inUse.delete(this.client);
    this.#left.abort();
    // A client that the backend opened can still emit errors until it ends, and ioredis prints errors that have no listener.
    if (this.#own !== undefined) return;
    this.client.off("error", this.#onError);
    this.client.off("node error", this.#onError);
    this.client.off("ready", this.#onReady);
  }

  /** Whether calls can be sent right away. If not, wait for {@link fit}. */
  get isFit(): boolean {
    return this.#isFit;
  }

  /** Resolves once a server that can serve calls is connected. */
  fit(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  /** Resolves once the client has connected, or failed to, for the first time. */
  connected(): Promise<void> {
    this.#firstOutcome ??= this.#connect();
    return this.#firstOutcome;
  }

  /** Turns the error of a call into the error for its caller, and makes the client look for a new master if there may be one. */
  failure(error: unknown): RateLimitError {
    // A node that cannot reach the others may have lost its slots to them.
    if (isClusterDown(error)) this.client.refreshSlotsCache?.();
    // A cluster-enabled master that became a replica also answers MOVED, so ask again what the server is.
    if (isMoved(error) && this.#mayCheckAgain()) this.#isFit = false;
    return failure(isReply(error) || isCommandTimeout(error) ? error : (this.#lastError ?? error));
  }

  #listen(): void {
    inUse.set(this.client, this);
    this.client.on("error", this.#onError);
    this.client.on("node error", this.#onError);
    this.client.on("ready", this.#onReady);
  }

  readonly #onError = (error: Error): void => {
    this.#lastError = error;
  };

  /** Asks again what the server is, because another one may be behind the same address now. */
  readonly #onReady = (): void => {
    this.#lastError = undefined;
    this.#isFit = false;
    for (const onReady of this.#users) onReady();
  };

  async #check(): Promise<void> {
    await this.connected();
    const server = readServer(await this.#info());
    if (server.isReplica) {
      // The address may lead to another server by now. Only a new connection can find out.
      if (this.client.slots === undefined && this.#mayReconnect()) this.#own?.disconnect(true);
      throw unusable("Expected the master, got a replica, which cannot take tokens: use the master's address, or `sentinels` or `cluster`");
    }
    warnOfVersion(server);
    this.longestFillMs = server.longestFillMs;
    if (server.isCluster) this.keysGoTogether = false;
    this.#isFit = true;
  }

  /** Returns the reply to INFO, or "" if Redis refuses it, for example because this user may not call it. */
  async #info(): Promise<string> {
    try {
      return String(await this.client.info());
    } catch (error) {
      if (isReply(error)) return "";
      throw this.failure(error);
    }
  }

  async #connect(): Promise<void> {
    await firstOutcome(this.client, this.#left.signal);
    await Promise.all((this.client.nodes?.("master") ?? []).map((node) => firstOutcome(node, this.#left.signal)));
  }
}

/** Returns a function that returns true at most once every `ms` milliseconds. */
function atMostEvery(ms: number): () => boolean {
  let next = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now < next) return false;
    next = now + ms;
    return true;
  };
}

/** Connects a client that was opened with `lazyConnect`. Resolves once it is ready or has failed, after 2 s at the latest. */
async function firstOutcome(client: RedisClient, signal: AbortSignal): Promise<void> {
  if (client.status === "wait") client.connect().catch(() => {});
  if (client.status === "connecting" || client.status === "connect")
    await once(client, outcomes, AbortSignal.any([signal, AbortSignal.timeout(firstReadyMs)]));
}

/** Resolves at the first of the events, or when the signal aborts. */
export async function once(client: RedisClient, events: readonly string[], signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let happened: () => void = () => {};
  const happening = new Promise<void>((resolve) => {
    happened = resolve;
  });
  signal.addEventListener("abort", happened);
  for (const event of events) client.on(event, happened);
  await happening;
  signal.removeEventListener("abort", happened);
  for (const event of events) client.off(event, happened);
}
