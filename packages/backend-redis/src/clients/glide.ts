import { warnOnce } from "@ratelimit/core/backend";
import { atMostEvery } from "../at-most-every.ts";
import { slotOf } from "../slots.ts";
import { type Client, replyError, timedOut } from "./client.ts";

/** The part of Valkey GLIDE that the backend uses. A `GlideClient` or `GlideClusterClient` of version 2 has it. */
export interface GlideClient {
  customCommand(command: string[], options?: { decoder?: number; route?: unknown }): Promise<unknown>;
  invokeScript(...args: never[]): Promise<unknown>;
  close(...args: never[]): unknown;
}

/** What GLIDE has but does not declare. */
interface Undeclared {
  /** In ms. `undefined` means 250. */
  readonly requestTimeout?: number;
  readonly inflightRequestsLimit?: number;
}

export function isGlide(value: object): value is GlideClient {
  const client = value as Partial<GlideClient>;
  return [client.customCommand, client.invokeScript, client.close].every((method) => typeof method === "function");
}

export function adaptGlide(client: GlideClient): Client {
  warnOfGlide(client);
  return "fcallWithRoute" in client ? new GlideInCluster(client) : new Glide(client);
}

/** `Decoder.String`. */
const asString = { decoder: 1 } as const;

/** The limit of GLIDE on requests in flight, unless its user has set another. */
const usualLimit = 1000;

/**
 * A `GlideClient`. It sends the requests of one turn in any order, does not report whether it is connected, and fails requests above a
 * limit. So the backend waits for the answer to a call before it sends the next one on the same key, and leaves half of the limit to others.
 */
class Glide implements Client {
  readonly isCluster: boolean = false;
  readonly keepsOrder = false;
  protected readonly client: GlideClient;
  readonly #mostInFlight: number;
  #inFlight = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(client: GlideClient) {
    this.client = client;
    this.#mostInFlight = Math.ceil(((client as Undeclared).inflightRequestsLimit ?? usualLimit) / 2);
  }

  evalsha(sha1: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#send(["EVALSHA", sha1, String(keys.length), ...keys, ...args]);
  }

  eval(lua: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#send(["EVAL", lua, String(keys.length), ...keys, ...args]);
  }

  async #send(command: string[]): Promise<unknown> {
    if (this.#inFlight >= this.#mostInFlight) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#inFlight++;
    try {
      return await this.client.customCommand(command, asString);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#inFlight--;
      else next();
    }
  }

  info(): Promise<unknown> {
    return this.client.customCommand(["INFO"], asString);
  }

  inOneWrite<T>(_key: string, send: () => T): T {
    return send();
  }

  serverOf(_key: string): string {
    return "";
  }

  async connected(): Promise<void> {}

  listen(): () => void {
    return () => {};
  }

  errorOf(error: unknown): unknown {
    if (!(error instanceof Error)) return error;
    if (error.name === "TimeoutError") return timedOut(error);
    const [, kind, detail] = /^An error was signalled by the server: - (\w+): (.*)$/s.exec(error.message) ?? [];
    if (kind !== undefined) return replyError(`${codes[kind] ?? "ERR"} ${detail}`, error);
    const [, code, rest] = /^([A-Z][A-Z0-9]+): (.*)$/s.exec(error.message) ?? [];
    return code === undefined ? error : replyError(`${code} ${rest}`, error);
  }

  failed(_error: unknown): void {}
}

/** The codes from Redis that GLIDE replaces with names of its own. It leaves all others as they are. */
const codes: Readonly<Record<string, string>> = {
  Ask: "ASK",
  BusyLoadingError: "LOADING",
  ClusterDown: "CLUSTERDOWN",
  CrossSlot: "CROSSSLOT",
  MasterDown: "MASTERDOWN",
  Moved: "MOVED",
  NoScriptError: "NOSCRIPT",
  PermissionDenied: "NOPERM",
  ReadOnly: "READONLY",
  TryAgain: "TRYAGAIN",
};

class GlideInCluster extends Glide {
  override readonly isCluster = true;
  /** The master of each slot as `host:port`. GLIDE knows it too, but does not tell. */
  #masters: readonly string[] = [];
  readonly #mayLearn = atMostEvery(500);

  override async info(): Promise<unknown> {
    await this.#learn();
    return this.client.customCommand(["INFO"], { ...asString, route: { type: "primarySlotKey", key: "" } });
  }

  override serverOf(key: string): string {
    return this.#masters[slotOf(key)] ?? "";
  }

  override failed(_error: unknown): void {
    if (this.#mayLearn()) void this.#learn();
  }

  /** Without the right to ask, all nodes count as one. Then an outage of one node makes this process decide for all of them. */
  async #learn(): Promise<void> {
    const ranges = await this.client.customCommand(["CLUSTER", "SLOTS"], { ...asString, route: "randomNode" }).catch(() => []);
    const masters: string[] = [];
    for (const [first, last, [host, port]] of ranges as [number, number, [string, number]][])
      for (let slot = first; slot <= last; slot++) masters[slot] = `${host}:${port}`;
    if (masters.length > 0) this.#masters = masters;
  }
}

/** The longest `requestTimeout` without a warning, in ms. */
const longestTimeoutMs = 500;

/** Warns once of a setting with which a client that the user opened sends calls late. */
function warnOfGlide(client: GlideClient): void {
  const { requestTimeout = 0 } = client as Undeclared;
  if (requestTimeout > longestTimeoutMs)
    warnOnce(
      "RATELIMIT_CLIENT_QUEUES",
      `The GLIDE client holds calls while Redis is down, for as long as its \`requestTimeout\`, so calls that were already decided without it are charged later; set \`requestTimeout\` to at most ${longestTimeoutMs}`,
    );
}
