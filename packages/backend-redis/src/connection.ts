import { RateLimitError } from "@ratelimit/core/backend";
import type { OwnClient, RedisClient } from "./client.ts";
import { isNoScript } from "./failure.ts";
import type { Script } from "./scripts.ts";
import { once, SharedClient } from "./shared-client.ts";
import { slotOf } from "./slots.ts";

/** How many ms QUIT may take, and how many more the connection may take to end. */
const [quitMs, endMs] = [300, 1200];

/** How many hash tags to try when looking for a key on a given server of a Cluster. */
const mostTags = 1000;

/** Sends the calls of one backend through a client until the backend is closed. */
export class Connection {
  readonly #client: RedisClient;
  readonly #shared: SharedClient;
  /** The same client, if this backend must close it. */
  readonly #own: OwnClient | undefined;
  #readyListener: () => void = () => {};
  #closing: Promise<void> | undefined;
  /**
   * How many calls are being resent because Redis did not know the script. Calls made meanwhile are held so as not to overtake them.
   * Calls already in flight need no holding: they miss the script too, and are resent before the first resent call is answered.
   */
  #sentAgain = 0;
  readonly #held: (() => void)[] = [];

  constructor(client: RedisClient, own?: OwnClient) {
    this.#client = client;
    this.#own = own;
    this.#shared = SharedClient.join(client, this.#onReady, own);
    if (own !== undefined) void this.#shared.connected();
  }

  /** The longest time in ms that a bucket may take to fill on this server. Known once a call has been answered. */
  get longestFillMs(): number {
    return this.#shared.longestFillMs;
  }

  /** Runs a script by its SHA-1, or sends its source if Redis does not know it yet. */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (this.#sentAgain === 0) return this.#send(script, keys, args);
    return new Promise((resolve) => this.#held.push(() => resolve(this.#send(script, keys, args))));
  }

  async #send(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (!this.isReady) await this.ready();
    try {
      return await this.#client.evalsha(script.sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isNoScript(error)) throw this.#shared.failure(error);
    }
    this.#sentAgain++;
    try {
      return await this.#client.eval(script.lua, keys.length, ...keys, ...args);
    } catch (error) {
      throw this.#shared.failure(error);
    } finally {
      this.#sentAgain--;
      if (this.#sentAgain === 0) for (const send of this.#held.splice(0)) send();
    }
  }

  /**
   * Runs a script on each of several keys of one server, all in one write. Returns each reply or error.
   * An ioredis pipeline would stay in memory with all its commands until the next full garbage collection, which cost a fifth of the time.
   */
  async runEach(script: Script, calls: readonly { readonly key: string; readonly args: readonly string[] }[]): Promise<unknown[]> {
    const socket = this.#socketTo(calls[0]?.key ?? "");
    socket?.cork();
    const replies = calls.map(({ key, args }) => this.run(script, [key], args).catch((error: unknown) => error));
    socket?.uncork();
    return Promise.all(replies);
  }

  /** Whether the client sends all keys to one server. */
  get isOneServer(): boolean {
    return this.#client.slots === undefined;
  }

  /** Whether one script may use any keys together. A Cluster forbids that, and so does a single server or proxy that is part of one. */
  get keysGoTogether(): boolean {
    return this.#shared.keysGoTogether;
  }

  /** Remembers that the server refused a script because its keys belong to different slots. */
  keepKeysApart(): void {
    this.#shared.keysGoTogether = false;
  }

  /** Returns the server that keeps a key as `host:port`, or "" if there is only one or it is unknown. */
  serverOf(key: string): string {
    const { slots, options } = this.#client;
    // ioredis adds its own prefix to the key, and the server computes the slot from both.
    return slots?.[slotOf(`${options?.keyPrefix ?? ""}${key}`)]?.[0] ?? "";
  }

  #socketTo(key: string): RedisClient["stream"] {
    if (this.isOneServer) return this.#client.stream;
    const server = this.serverOf(key);
    const node = this.#client.nodes?.("master").find(({ options }) => `${options?.host}:${options?.port}` === server);
    return node?.stream;
  }

  /** Returns a key that the given server keeps. With three masters this takes about three tries, because each keeps a third of the tags. */
  keyOn(server: string, key: string): string {
    for (let tag = 0; tag < mostTags; tag++) {
      const there = this.isOneServer ? key : `${key}{${tag}}`;
      if (this.serverOf(there) === server) return there;
    }
    return key;
  }

  /** Calls the listener whenever the client connects. */
  onReady(listener: () => void): void {
    this.#readyListener = listener;
  }

  /** Whether calls can be sent right away. If not, wait for {@link ready}. */
  get isReady(): boolean {
    return this.#closing === undefined && this.#shared.isFit;
  }

  /** Resolves once a server that can serve calls is connected. */
  async ready(): Promise<void> {
    if (this.#closing !== undefined)
      throw new RateLimitError("INVALID_OPTION", "This backend is closed: make a new one, or close it later");
    if (!this.#shared.isFit) await this.#shared.fit();
  }

  /** Closes the client if the backend opened it, within 2.5 s whatever the server does. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  readonly #onReady = (): void => this.#readyListener();

  async #close(): Promise<void> {
    this.#shared.leave(this.#onReady);
    if (this.#own === undefined) return;
    const { status } = this.#own;
    const ended = once(this.#own, ["end"], AbortSignal.timeout(quitMs + endMs));
    await Promise.race([this.#own.quit().catch(() => {}), once(this.#own, ["end"], AbortSignal.timeout(quitMs))]);
    this.#own.disconnect();
    if (this.#own.status !== "end" && status !== "reconnecting") await ended;
  }
}
