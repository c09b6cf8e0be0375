import { RateLimitError } from "@ratelimit/core/backend";
import type { Client } from "./clients/client.ts";
import { isNoScript } from "./failure.ts";
import { KeyOrder } from "./key-order.ts";
import type { Script } from "./scripts.ts";
import type { SharedClient } from "./shared-client.ts";

/** How many hash tags to try when looking for a key on a given server of a Cluster. */
const mostTags = 1000;

/** Sends the calls of one backend through a client until the backend is closed. */
export class Connection {
  readonly #shared: SharedClient;
  readonly #client: Client;
  #readyListener: () => void = () => {};
  #closing: Promise<void> | undefined;
  /**
   * How many calls are being resent because Redis did not know the script. Calls made meanwhile are held so as not to overtake them.
   * Calls already in flight need no holding: they miss the script too, and are resent before the first resent call is answered.
   */
  #sentAgain = 0;
  readonly #held: (() => void)[] = [];
  readonly #keyOrder: KeyOrder = new KeyOrder();

  constructor(shared: SharedClient) {
    this.#shared = shared;
    this.#client = shared.client;
    shared.join(this.#onReady);
  }

  /** The longest time in ms that a bucket may take to fill on this server. Known once a call has been answered. */
  get longestFillMs(): number {
    return this.#shared.longestFillMs;
  }

  /** Runs a script by its SHA-1, or sends its source if Redis does not know it yet. */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (!this.#client.keepsOrder) return this.#keyOrder.run(keys, () => this.#send(script, keys, args));
    if (this.#sentAgain === 0) return this.#send(script, keys, args);
    return new Promise((resolve) => this.#held.push(() => resolve(this.#send(script, keys, args))));
  }

  async #send(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    if (!this.isReady) await this.ready();
    try {
      return await this.#client.evalsha(script.sha1, keys, args);
    } catch (error) {
      if (!isNoScript(this.#client.errorOf(error))) throw this.#shared.failure(error);
    }
    this.#sentAgain++;
    try {
      return await this.#client.eval(script.lua, keys, args);
    } catch (error) {
      throw this.#shared.failure(error);
    } finally {
      this.#sentAgain--;
      if (this.#sentAgain === 0) for (const send of this.#held.splice(0)) send();
    }
  }

  /** Runs a script on each of several keys of one server, all in one write. Returns each reply or error. */
  async runEach(script: Script, calls: readonly { readonly key: string; readonly args: readonly string[] }[]): Promise<unknown[]> {
    return Promise.all(
      this.#client.inOneWrite(calls[0]?.key ?? "", () =>
        calls.map(({ key, args }) => this.run(script, [key], args).catch((error: unknown) => error)),
      ),
    );
  }

  /** Whether the client sends all keys to one server. */
  get isOneServer(): boolean {
    return !this.#client.isCluster;
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
    return this.#client.serverOf(key);
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
    this.#closing ??= this.#shared.leave(this.#onReady);
    return this.#closing;
  }

  readonly #onReady = (): void => this.#readyListener();
}
