import { RateLimitError } from "@ratelimit/core";
import type { OwnClient, RedisClient } from "./client.ts";
import { failure, isClusterDown, isNoScript, isReply, unusable } from "./failure.ts";
import type { Script } from "./scripts.ts";
import { readServer, warnOfVersion } from "./server.ts";
import { slotOf } from "./slots.ts";

/** Ms that the first calls wait for a client that is still connecting; that a quit may take, and the end after it. */
const [firstReadyMs, quitMs, endMs] = [2000, 300, 1200];

/** Tags that are tried for a key on one server of a Cluster. */
const mostTags = 1000;

/** The events after which a client has either connected or failed to. */
const outcomes = ["ready", "error", "close", "end"] as const;

/** One client and what is known of it: whether the server behind it is fit, and what last went wrong. */
export class Connection {
  readonly #client: RedisClient;
  /** The same client where it is ours to close. */
  readonly #own: OwnClient | undefined;
  readonly #closed = new AbortController();
  #readyListener: () => void = () => {};
  #lastError: Error | undefined;
  #firstOutcome: Promise<void> | undefined;
  #fit = false;
  #checking: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /**
   * Calls that are being sent again, because Redis did not know the script, and those made meanwhile, which must not overtake them. What
   * was on its way already is not among these: it lacks the script too, and its turn to be sent again comes before the first is answered.
   */
  #sentAgain = 0;
  readonly #held: (() => void)[] = [];
  /** Ms that a bucket may take to fill on this server; known once a call was answered. */
  longestFillMs: number = Number.POSITIVE_INFINITY;

  constructor(client: RedisClient, own?: OwnClient) {
    this.#client = client;
    this.#own = own;
    client.on("error", this.#onError);
    client.on("node error", this.#onError);
    client.on("ready", this.#onReady);
    if (own !== undefined) void this.#connected();
  }

  /** Runs a script on keys; by its name, and by its text only where Redis does not know it yet. */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (this.#sentAgain === 0) return this.#send(script, keys, args);
    return new Promise((resolve) => this.#held.push(() => resolve(this.#send(script, keys, args))));
  }

  async #send(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (!this.#fit) await this.ready();
    try {
      return await this.#client.evalsha(script.sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isNoScript(error)) throw this.#failure(error);
    }
    this.#sentAgain++;
    try {
      return await this.#client.eval(script.lua, keys.length, ...keys, ...args);
    } catch (error) {
      throw this.#failure(error);
    } finally {
      this.#sentAgain--;
      if (this.#sentAgain === 0) for (const send of this.#held.splice(0)) send();
    }
  }

  /**
   * Runs a script on each of several keys of one server, all in one write: what each replied, or failed with.
   * Not by a pipeline of ioredis: each of those, and all its commands, stay until the next full garbage collection (a fifth of the time).
   */
  async runEach(script: Script, calls: readonly { readonly key: string; readonly args: readonly string[] }[]): Promise<unknown[]> {
    const socket = this.#socketTo(calls[0]?.key ?? "");
    socket?.cork();
    const replies = calls.map(({ key, args }) => this.run(script, [key], args).catch((error: unknown) => error));
    socket?.uncork();
    return Promise.all(replies);
  }

  /** Whether all keys lie on one server, so that one script may have many of them. */
  get isOneServer(): boolean {
    return this.#client.slots === undefined;
  }

  /** The server that keeps a key, as `host:port`; "" where there is only one, or nobody knows. */
  serverOf(key: string): string {
    return this.#client.slots?.[slotOf(key)]?.[0] ?? "";
  }

  #socketTo(key: string): RedisClient["stream"] {
    const server = this.serverOf(key);
    const node = this.#client.nodes?.("master").find(({ options }) => `${options?.host}:${options?.port}` === server);
    return node?.stream;
  }

  /** A key that lies on a server: in a Cluster it takes a few tries, for every third tag lies on one of three servers. */
  keyOn(server: string, key: string): string {
    for (let tag = 0; tag < mostTags; tag++) {
      const there = this.isOneServer ? key : `${key}{${tag}}`;
      if (this.serverOf(there) === server) return there;
    }
    return key;
  }

  /** Calls back whenever the client has connected. */
  onReady(listener: () => void): void {
    this.#readyListener = listener;
  }

  async del(key: string): Promise<void> {
    if (!this.#fit) await this.ready();
    try {
      await this.#client.del(key);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Whether calls can be sent at once. */
  get isReady(): boolean {
    return this.#fit;
  }

  /** Resolves when calls can be sent to a server that is fit for them. */
  async ready(): Promise<void> {
    if (this.#closing !== undefined)
      throw new RateLimitError("INVALID_OPTION", "This backend is closed: make a new one, or close it later");
    if (this.#fit) return;
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    await this.#checking;
  }

  /** Closes the client if it is ours, within 2.5 s whatever the server does. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  readonly #onError = (error: Error): void => {
    this.#lastError = error;
  };

  /** There may be another server behind the same address. */
  readonly #onReady = (): void => {
    this.#lastError = undefined;
    this.#fit = false;
    this.#readyListener();
  };

  /** What every call that fails goes through. A node that misses the others may have lost its slots to them: the client looks where they are now. */
  #failure(error: unknown): RateLimitError {
    if (isClusterDown(error)) this.#client.refreshSlotsCache?.();
    return failure(isReply(error) ? error : (this.#lastError ?? error));
  }

  async #check(): Promise<void> {
    await this.#connected();
    const server = readServer(await this.#info());
    if (server.isReplica)
      throw unusable("Expected the master, got a replica of it, where nothing can be taken: use its address, or `sentinels` or `cluster`");
    warnOfVersion(server);
    this.longestFillMs = server.longestFillMs;
    this.#fit = true;
  }

  /** What the server says of itself; nothing where this user may not ask. */
  async #info(): Promise<string> {
    try {
      return String(await this.#client.info());
    } catch (error) {
      if (isReply(error)) return "";
      throw this.#failure(error);
    }
  }

  /** Resolves when the client was ready, or failed to be, for the first time. */
  #connected(): Promise<void> {
    this.#firstOutcome ??= this.#connect();
    return this.#firstOutcome;
  }

  async #connect(): Promise<void> {
    await firstOutcome(this.#client, this.#closed.signal);
    await Promise.all((this.#client.nodes?.("master") ?? []).map((node) => firstOutcome(node, this.#closed.signal)));
  }

  async #close(): Promise<void> {
    this.#fit = false;
    this.#closed.abort();
    if (this.#own === undefined) {
      this.#client.off("error", this.#onError);
      this.#client.off("node error", this.#onError);
      this.#client.off("ready", this.#onReady);
      return;
    }
    const { status } = this.#own;
    const ended = once(this.#own, ["end"], AbortSignal.timeout(quitMs + endMs));
    await Promise.race([this.#own.quit().catch(() => {}), once(this.#own, ["end"], AbortSignal.timeout(quitMs))]);
    this.#own.disconnect();
    if (this.#own.status !== "end" && status !== "reconnecting") await ended;
  }
}

/** Connects a client that waits to be asked for it, and resolves when it is ready or has failed, after 2 s at the latest. */
async function firstOutcome(client: RedisClient, signal: AbortSignal): Promise<void> {
  if (client.status === "wait") client.connect().catch(() => {});
  if (client.status === "connecting" || client.status === "connect")
    await once(client, outcomes, AbortSignal.any([signal, AbortSignal.timeout(firstReadyMs)]));
}

/** Resolves at the first of the events, or when the signal is given. */
async function once(client: RedisClient, events: readonly string[], signal: AbortSignal): Promise<void> {
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
