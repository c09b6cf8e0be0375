import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { warnOnce } from "@ratelimit/core/backend";
import { atMostEvery } from "../at-most-every.ts";
import { isReply } from "../failure.ts";
import { slotOf } from "../slots.ts";
import { type Client, type ClientEvents, type Emitter, once, replyError, timedOut } from "./client.ts";

/** What all clients of node-redis have. */
interface NodeRedisBase extends Emitter {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  connect(): Promise<unknown>;
}

/** The part of a client of node-redis that the backend uses. What `createClient` of version 5 or 6 returns has it. */
interface NodeRedisClient extends NodeRedisBase {
  readonly isReady: boolean;
  readonly options?: NodeRedisOptions | undefined;
  sendCommand(command: string[], options?: CommandOptions): Promise<unknown>;
}

/** The part of a sentinel of node-redis that the backend uses. What `createSentinel` of version 5 or 6 returns has it. */
interface NodeRedisSentinel extends NodeRedisBase {
  readonly isReady: boolean;
  getMasterNode(): unknown;
  sendCommand(isReadOnly: boolean | undefined, command: string[], options?: CommandOptions): Promise<unknown>;
}

/** The part of a cluster of node-redis that the backend uses. What `createCluster` of version 5 or 6 returns has it. */
interface NodeRedisCluster extends NodeRedisBase {
  readonly slots: readonly { readonly master: { readonly host: string; readonly port: number } }[];
  readonly masters: readonly unknown[];
  nodeClient(node: unknown): Promise<NodeRedisClient>;
  sendCommand(firstKey: string | undefined, isReadOnly: boolean | undefined, command: string[], options?: CommandOptions): Promise<unknown>;
}

/** The settings of a client that matter here. */
interface NodeRedisOptions {
  readonly disableOfflineQueue?: boolean | undefined;
  readonly socket?: object | undefined;
}

/** What node-redis has but does not declare. */
interface Undeclared {
  readonly options?: object;
  readonly _options?: { readonly defaults?: NodeRedisOptions };
  readonly _keyPrefix?: string;
  readonly _slots?: { rediscover?(startWith: unknown): Promise<unknown> };
}

interface CommandOptions {
  readonly typeMapping?: object;
  readonly abortSignal?: AbortSignal;
}

/** Makes node-redis return strings and numbers, whatever the user's client returns. */
const plain: CommandOptions = { typeMapping: {} };

/** How often to look whether a client is ready, in ms. A sentinel of version 5 has no event for that. */
const lookEveryMs = 10;

const ignore = (): void => {};
const kept = new WeakSet<object>();

/** What the three kinds of node-redis clients have in common. They write all commands of a turn together, and keep their order. */
abstract class NodeRedis<T extends NodeRedisBase> implements Client {
  abstract readonly isCluster: boolean;
  readonly keepsOrder = true;
  protected readonly client: T;
  protected readonly prefix: string;

  constructor(client: T) {
    this.client = client;
    // Version 6 puts its `keyPrefix` before the keys of every command except those in `sendCommand`.
    this.prefix = (client as Undeclared)._keyPrefix ?? "";
  }

  /** Sends a command to the server of this key, or to any server if there is no key. */
  protected abstract send(key: string | undefined, command: string[]): Promise<unknown>;

  protected get isReady(): boolean {
    return this.client.isReady === true;
  }

  evalsha(sha1: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#run("EVALSHA", sha1, keys, args);
  }

  eval(lua: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#run("EVAL", lua, keys, args);
  }

  #run(command: string, script: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const there = this.prefix === "" ? keys : keys.map((key) => this.prefix + key);
    return this.send(there[0], [command, script, String(keys.length), ...there, ...args]);
  }

  info(): Promise<unknown> {
    return this.send(undefined, ["INFO"]);
  }

  inOneWrite<R>(_key: string, send: () => R): R {
    return send();
  }

  serverOf(_key: string): string {
    return "";
  }

  /** Waits only for a client that its user has begun to connect. `connect()` would fail for the user if it were called here first. */
  async connected(signal: AbortSignal): Promise<void> {
    if (this.isReady || !this.client.isOpen) return;
    const done = new AbortController();
    const until = AbortSignal.any([signal, done.signal]);
    const look = async (): Promise<void> => {
      while (this.client.isOpen && !this.isReady && !until.aborted) await sleep(lookEveryMs, undefined, { signal: until });
    };
    await Promise.race([look().catch(ignore), once(this.client, ["error", "node-error", "end"], until)]);
    done.abort();
  }

  listen(events: ClientEvents): () => void {
    // Once the last listener is removed, a client of node-redis never calls a later one. So this one stays.
    if (!kept.has(this.client)) this.client.on("ratelimit", ignore);
    kept.add(this.client);
    const { ready, error } = events;
    const listeners = { ready, error, "node-ready": ready, "node-error": error } as const;
    for (const [event, listener] of Object.entries(listeners)) this.client.on(event, listener);
    return () => {
      for (const [event, listener] of Object.entries(listeners)) this.client.off(event, listener);
    };
  }

  errorOf(error: unknown): unknown {
    if (!(error instanceof Error)) return error;
    // Replies begin with a code in capitals. No error of node-redis or of Node does.
    if (/^[A-Z][A-Z0-9]+ /.test(error.message)) return replyError(error.message, error);
    if (error.constructor.name === "TimeoutError") return timedOut(error);
    if (error.message === "The client is closed") return new Error("The client is closed: call its `connect()`");
    return notSent.test(error.message) ? new Error("Redis is not connected") : error;
  }

  failed(_error: unknown): void {}
}

/** How node-redis reports that it could not send a call. */
const notSent = /^(The client is offline|Disconnects client|The command was aborted)$/;

class NodeRedisSingle extends NodeRedis<NodeRedisClient> {
  readonly isCluster = false;

  protected send(_key: string | undefined, command: string[]): Promise<unknown> {
    return this.client.sendCommand(command, plain);
  }
}

class NodeRedisBySentinel extends NodeRedis<NodeRedisSentinel> {
  readonly isCluster = false;

  protected send(_key: string | undefined, command: string[]): Promise<unknown> {
    return this.client.sendCommand(false, command, { ...plain, abortSignal: new Permit() as unknown as AbortSignal });
  }
}

/** How many ms after a call a sentinel may still send it. */
const longestWaitMs = 100;

/**
 * Lets a sentinel send a call once, and soon. By itself it would send a call again if its connection breaks before the reply, and would
 * hold calls during a failover. The bucket would be charged twice, or long after the call was decided without Redis.
 *
 * It takes the place of an `AbortSignal`: node-redis asks it before it queues the call, and listens to it from then on.
 */
class Permit {
  readonly #until = performance.now() + longestWaitMs;
  #isUsed = false;

  get aborted(): boolean {
    return this.#isUsed || performance.now() > this.#until;
  }

  addEventListener(): void {
    this.#isUsed = true;
  }

  removeEventListener(): void {}
}

class NodeRedisInCluster extends NodeRedis<NodeRedisCluster> {
  readonly isCluster = true;
  readonly #mayRediscover = atMostEvery(500);

  protected override get isReady(): boolean {
    return this.client.masters.length > 0 && this.client.isReady !== false;
  }

  protected send(key: string | undefined, command: string[]): Promise<unknown> {
    if (!this.isReady) return Promise.reject(new Error(this.client.isOpen ? "The client is offline" : "The client is closed"));
    return this.client.sendCommand(key, false, command, plain);
  }

  /** Asks one node. Without a key, version 6 would ask all of them. */
  override async info(): Promise<unknown> {
    return this.isReady ? (await this.client.nodeClient(this.client.masters[0])).sendCommand(["INFO"], plain) : this.send(undefined, []);
  }

  override serverOf(key: string): string {
    const master = this.client.slots[slotOf(this.prefix + key)]?.master;
    return master === undefined ? "" : `${master.host}:${master.port}`;
  }

  /** Version 5 learns of new masters only from nodes that it can reach, and never asks them because another one is gone. */
  override failed(error: unknown): void {
    const { _slots } = this.client as Undeclared;
    const alive = (this.client.masters as readonly { client?: NodeRedisClient }[]).find(({ client }) => client?.isReady)?.client;
    if (!isReply(error) && alive !== undefined && this.#mayRediscover()) _slots?.rediscover?.(alive).catch(ignore);
  }
}

function isSingle(value: object): value is NodeRedisClient {
  const client = value as Partial<NodeRedisClient>;
  return typeof client.isReady === "boolean" && typeof client.options === "object" && typeof client.sendCommand === "function";
}

function isSentinel(value: object): value is NodeRedisSentinel {
  const client = value as Partial<NodeRedisSentinel>;
  return typeof client.isReady === "boolean" && typeof client.getMasterNode === "function";
}

function isCluster(value: object): value is NodeRedisCluster {
  const client = value as Partial<NodeRedisCluster>;
  return typeof client.isOpen === "boolean" && typeof client.nodeClient === "function" && Array.isArray(client.slots);
}

/** Any client of node-redis, except for a pool: its calls take several connections, so they would overtake each other. */
export type AnyNodeRedis = NodeRedisClient | NodeRedisSentinel | NodeRedisCluster;

export function isNodeRedis(value: object): value is AnyNodeRedis {
  return isSentinel(value) || isCluster(value) || isSingle(value);
}

export function adaptNodeRedis(client: AnyNodeRedis): Client {
  warnOfNodeRedis(client);
  if (isSentinel(client)) return new NodeRedisBySentinel(client);
  return isCluster(client) ? new NodeRedisInCluster(client) : new NodeRedisSingle(client);
}

/** Warns once of settings with which a client that the user opened sends calls late, or never again. A sentinel does not show its own. */
function warnOfNodeRedis(client: AnyNodeRedis): void {
  if (isSentinel(client)) return;
  const options = isCluster(client) ? (client as Undeclared)._options?.defaults : client.options;
  const fix = (setting: string): string => (isCluster(client) ? `set \`defaults: { ${setting} }\`` : `set \`${setting}\``);
  if (options?.disableOfflineQueue !== true)
    warnOnce(
      "RATELIMIT_CLIENT_QUEUES",
      `The node-redis client queues calls while Redis is down, so calls that were already decided without it are charged later; ${fix("disableOfflineQueue: true")}`,
    );
  const { reconnectStrategy, socketTimeout } = (options?.socket ?? {}) as { reconnectStrategy?: unknown; socketTimeout?: unknown };
  // The default strategy does not reconnect after a `socketTimeout`.
  if (reconnectStrategy === false || (reconnectStrategy === undefined && socketTimeout !== undefined))
    warnOnce(
      "RATELIMIT_CLIENT_STAYS_CLOSED",
      `The node-redis client never reconnects once its connection has ${reconnectStrategy === false ? "ended" : "been silent for its `socketTimeout`"}, so this process then decides alone; ${fix("socket: { reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, 500) }")}`,
    );
}
