import type { RateLimitError } from "@ratelimit/core/backend";
import { atMostEvery } from "./at-most-every.ts";
import { adapt, type RedisClient } from "./clients/adapt.ts";
import type { Client, OwnClient } from "./clients/client.ts";
import { databaseFailure, failure, isCommandTimeout, isMoved, isReply, unusable } from "./failure.ts";
import { readServer, warnOfVersion } from "./server.ts";

/** How many ms the first calls wait for a client that is still connecting. */
const firstReadyMs = 2000;

/** The clients of users that backends are using. */
const inUse = new WeakMap<RedisClient, SharedClient>();

/**
 * Holds one client and what is known about it and its server.
 *
 * All backends on a client share this, so that together they add one set of listeners and send INFO once.
 */
export class SharedClient {
  readonly client: Client;
  /** Whether one script may use keys of different slots. Once the server has refused that, it is never tried again. */
  keysGoTogether: boolean;
  /** The longest time in ms that a bucket may take to fill on this server. Known once a call has been answered. */
  longestFillMs: number = Number.POSITIVE_INFINITY;
  /** One callback of each backend, called when the client connects. */
  readonly #users = new Set<() => void>();
  readonly #left = new AbortController();
  /** The same client, if the backend opened it and must close it. */
  readonly #own: OwnClient | undefined;
  #stopListening: () => void = () => {};
  #onLastLeft: () => void = () => {};
  #lastError: Error | undefined;
  /** The error with which the server has refused the client's database. ioredis goes on in database 0 all the same. */
  #databaseError: Error | undefined;
  #firstOutcome: Promise<void> | undefined;
  #isFit = false;
  #checking: Promise<void> | undefined;
  readonly #mayReconnect = atMostEvery(500);
  readonly #mayCheckAgain = atMostEvery(1000);

  private constructor(client: Client, own?: OwnClient) {
    this.client = client;
    this.#own = own;
    this.keysGoTogether = !client.isCluster;
  }

  /** Returns what the backends on a client of the user's share. */
  static of(client: RedisClient): SharedClient {
    const known = inUse.get(client);
    if (known !== undefined) return known;
    const shared = new SharedClient(adapt(client));
    inUse.set(client, shared);
    shared.#onLastLeft = () => inUse.delete(client);
    return shared;
  }

  /** Takes over a client that the backend opened, and begins to connect it. */
  static owning(own: OwnClient): SharedClient {
    const shared = new SharedClient(own, own);
    shared.#listen();
    void shared.connected();
    return shared;
  }

  /** Begins to call `onReady` whenever the client connects. */
  join(onReady: () => void): void {
    if (this.#users.size === 0 && this.#own === undefined) this.#listen();
    this.#users.add(onReady);
  }

  /** Ends what `join` began. The last backend to leave removes the listeners, or closes the client if it opened it. */
  async leave(onReady: () => void): Promise<void> {
    if (!this.#users.delete(onReady) || this.#users.size > 0) return;
    this.#onLastLeft();
    this.#left.abort();
    // A client that the backend opened can still emit errors until it ends, and ioredis prints errors that have no listener.
    if (this.#own === undefined) this.#stopListening();
    await this.#own?.close();
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
    this.#firstOutcome ??= this.client.connected(AbortSignal.any([this.#left.signal, AbortSignal.timeout(firstReadyMs)]));
    return this.#firstOutcome;
  }

  /** Turns the error of a call into the error for its caller, and makes the client look for a new master if there may be one. */
  failure(thrown: unknown): RateLimitError {
    const error = this.client.errorOf(thrown);
    this.client.failed(error);
    // A cluster-enabled master that became a replica also answers MOVED, so ask again what the server is.
    if (isMoved(error) && this.#mayCheckAgain()) this.#isFit = false;
    return failure(isReply(error) || isCommandTimeout(error) ? error : (this.#lastError ?? error));
  }

  #listen(): void {
    this.#stopListening = this.client.listen({ ready: this.#onReady, error: this.#onError });
  }

  readonly #onError = (error: Error): void => {
    this.#lastError = error;
    if (!isOfSelect(error)) return;
    this.#databaseError = error;
    this.#isFit = false;
  };

  /** Asks again what the server is, because another one may be behind the same address now. */
  readonly #onReady = (): void => {
    if (this.#lastError !== this.#databaseError) this.#databaseError = undefined;
    this.#lastError = undefined;
    this.#isFit = false;
    for (const onReady of this.#users) onReady();
  };

  async #check(): Promise<void> {
    await this.connected();
    if (this.#databaseError !== undefined) throw databaseFailure(this.#databaseError);
    const server = readServer(await this.#info());
    if (server.isReplica) {
      // The address may lead to another server by now. Only a new connection can find out.
      if (!this.client.isCluster && this.#mayReconnect()) this.#own?.reconnect();
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
      if (isReply(this.client.errorOf(error))) return "";
      throw this.failure(error);
    }
  }
}

function isOfSelect(error: Error & { readonly command?: { readonly name?: unknown } }): boolean {
  return error.command?.name === "select";
}
