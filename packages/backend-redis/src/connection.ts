import { RateLimitError } from "@ratelimit/core/backend";
import type { OwnClient, RedisClient } from "./client.ts";
import { isNoScript } from "./failure.ts";
import type { Script } from "./scripts.ts";
import { once, SharedClient } from "./shared-client.ts";
import { slotOf } from "./slots.ts";

/** Ms that a quit may take, and the end after it. */
const [quitMs, endMs] = [300, 1200];

/** Tags that are tried for a key on one server of a Cluster. */
const mostTags = 1000;

/** What one backend sends through a client, until it is closed. */
export class Connection {
  readonly #client: RedisClient;
  readonly #shared: SharedClient;
  /** The same client where it is ours to close. */
  readonly #own: OwnClient | undefined;
  #readyListener: () => void = () => {};
  #closing: Promise<void> | undefined;
  /**
   * Calls that are being sent again, because Redis did not know the script, and those made meanwhile, which must not overtake them. What
   * was on its way already is not among these: it lacks the script too, and its turn to be sent again comes before the first is answered.
   */
  #sentAgain = 0;
  readonly #held: (() => void)[] = [];

  constructor(client: RedisClient, own?: OwnClient) {
    this.#client = client;
    this.#own = own;
    this.#shared = SharedClient.join(client, this.#onReady, own);
    if (own !== undefined) void this.#shared.connected();
  }

  /** Ms that a bucket may take to fill on this server; known once a call was answered. */
  get longestFillMs(): number {
    return this.#shared.longestFillMs;
  }

  /** Runs a script on keys; by its name, and by its text only where Redis does not know it yet. */
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

  /** Whether the client has one server for all keys. */
  get isOneServer(): boolean {
    return this.#client.slots === undefined;
  }

  /** Whether one script may take any keys. A Cluster forbids that, and so does a single server or proxy that is part of one. */
  get keysGoTogether(): boolean {
    return this.#shared.keysGoTogether;
  }

  /** Remembers that the server refused a script because its keys belong to different slots. */
  keepKeysApart(): void {
    this.#shared.keysGoTogether = false;
  }

  /** The server that keeps a key, as `host:port`; "" where there is only one, or nobody knows. */
  serverOf(key: string): string {
    const { slots, options } = this.#client;
    // ioredis puts its own prefix before the key, and the server computes the slot from both.
    return slots?.[slotOf(`${options?.keyPrefix ?? ""}${key}`)]?.[0] ?? "";
  }

  #socketTo(key: string): RedisClient["stream"] {
    if (this.isOneServer) return this.#client.stream;
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

  /** Whether calls can be sent at once. */
  get isReady(): boolean {
    return this.#closing === undefined && this.#shared.isFit;
  }

  /** Resolves when calls can be sent to a server that is fit for them. */
  async ready(): Promise<void> {
    if (this.#closing !== undefined)
      throw new RateLimitError("INVALID_OPTION", "This backend is closed: make a new one, or close it later");
    if (!this.#shared.isFit) await this.#shared.fit();
  }

  /** Closes the client if it is ours, within 2.5 s whatever the server does. */
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
