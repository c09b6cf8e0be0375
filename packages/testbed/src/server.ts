import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findRedisServer, type RedisBinary } from "./binary.ts";
import { type Address, field, type Login, withClient } from "./client.ts";
import { makeFolder, type OwnedFolder } from "./folder.ts";
import type { NetworkNamespace } from "./namespace.ts";
import { freePorts, HOST } from "./ports.ts";
import { type OwnedProcess, spawnOwned } from "./process.ts";
import { Fatal, until } from "./until.ts";

/** The folder and ports of a server. Only a cluster bus or TLS uses the second port. */
export interface Place {
  readonly dir: string;
  readonly port: number;
  readonly secondPort: number;
}

/** How to start a server. */
export interface Recipe {
  /** Returns the arguments, and writes the files that they name. */
  readonly args: (place: Place) => string[] | Promise<string[]>;
  readonly sentinel?: boolean;
  readonly password?: string;
  /** @defaultValue the one that {@link findRedisServer} finds */
  readonly binary?: RedisBinary | undefined;
  /** @defaultValue a free port */
  readonly port?: number | undefined;
  /**
   * An existing folder, which is kept at the end.
   * @defaultValue a temporary folder, which is removed
   */
  readonly dir?: string | undefined;
  /**
   * The network to run in.
   * @defaultValue the network of this process
   */
  readonly namespace?: NetworkNamespace | undefined;
}

/** Arguments of every data server in the testbed: it saves nothing unless asked, and syncs replicas at once. */
export const COMMON: readonly string[] = [...["--save", ""], ...["--repl-diskless-sync-delay", "0"]];

/** Makes a server listen on loopback, or on the address of its namespace, which needs no protection because nobody else is there. */
export function binding(namespace?: NetworkNamespace): string[] {
  return ["--bind", namespace?.host ?? HOST, "--protected-mode", namespace === undefined ? "yes" : "no"];
}

// Looked up once, because otherwise the first run would download it for every server.
let binary: Promise<RedisBinary> | undefined;

/** Starts a server and waits until it answers. The caller must stop it. */
export async function startServer(recipe: Recipe): Promise<RedisServer> {
  const found = recipe.binary ?? (await usualBinary());
  for (let tries = 1; ; tries++) {
    const folder = recipe.dir === undefined ? await makeFolder() : undefined;
    let server: RedisServer | undefined;
    try {
      const [port, secondPort] = (await freePorts(2)) as [number, number];
      const place = { dir: folder?.path ?? recipe.dir!, port: recipe.port ?? port, secondPort };
      server = new RedisServer(found, recipe, place, await recipe.args(place), folder);
      await server.whenReady();
      return server;
    } catch (error) {
      await (server?.stop() ?? folder?.remove());
      if (tries > 1 || !isPortTaken(error)) throw error;
    }
  }
}

function usualBinary(): Promise<RedisBinary> {
  binary ??= findRedisServer().catch((error: unknown) => {
    binary = undefined;
    throw error;
  });
  return binary;
}

/** Starts servers in parallel. If one fails, stops all of them. */
export async function startServers(recipes: readonly Recipe[]): Promise<RedisServer[]> {
  const starts = await Promise.allSettled(recipes.map((recipe) => startServer(recipe)));
  const servers = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const failure = starts.find((start) => start.status === "rejected");
  if (failure === undefined) return servers;
  await stopServers(servers);
  throw failure.reason;
}

export async function stopServers(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}

/** One redis-server process that the testbed controls. */
export class RedisServer {
  readonly host: string;
  readonly port: number;
  readonly secondPort: number;
  readonly dir: string;
  readonly #binary: RedisBinary;
  readonly #recipe: Recipe;
  readonly #args: readonly string[];
  readonly #folder: OwnedFolder | undefined;
  #process: OwnedProcess;
  #paused = false;
  #stopped: Promise<void> | undefined;

  /** @internal */
  constructor(binary: RedisBinary, recipe: Recipe, place: Place, args: readonly string[], folder?: OwnedFolder) {
    this.host = recipe.namespace?.host ?? HOST;
    this.port = place.port;
    this.secondPort = place.secondPort;
    this.dir = place.dir;
    this.#binary = binary;
    this.#recipe = recipe;
    this.#args = args;
    this.#folder = folder;
    this.#process = this.#spawn();
  }

  get address(): Address {
    return { host: this.host, port: this.port };
  }

  /** The pid of the process that is running or ran last. */
  get pid(): number {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** The end of its log. */
  get log(): string {
    return this.#process.output;
  }

  /** Sends SIGSTOP: connections stay open, but nothing answers. */
  pause(): void {
    this.#process.signal("SIGSTOP");
    this.#paused = true;
  }

  /** Sends SIGCONT. */
  resume(): void {
    this.#process.signal("SIGCONT");
    this.#paused = false;
  }

  /** Sends SIGKILL, and resolves when the process is gone. Unsaved data is lost. */
  async kill(): Promise<void> {
    await this.#process.kill();
    this.#paused = false;
  }

  /**
   * Restarts the server on the same port, and resolves when it answers. A running server saves its data first, unless it is paused or
   * `empty` is set. A killed one comes back with the data in its append-only file, or empty if it has none.
   */
  async restart({ empty = false }: { empty?: boolean } = {}): Promise<void> {
    if (this.running && !this.#paused && !empty && this.#recipe.sentinel !== true) {
      await withClient(this.#login, (client) => client.call("SAVE"));
    }
    await this.kill();
    if (empty) await this.#remove("dump.rdb", "appendonlydir");
    try {
      await this.#again();
    } catch (error) {
      if (!isPortTaken(error)) throw error;
      await sleep(200);
      await this.#again();
    }
    // Otherwise a later kill and restart would bring this data back.
    if (this.#folder !== undefined) await this.#remove("dump.rdb");
  }

  /** Sends SIGKILL and removes the folder. Calling it again does nothing. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** @internal Waits until the server answers, and makes sure that it is this process that answers. */
  async whenReady(): Promise<void> {
    const text = this.#recipe.sentinel === true ? "Sentinel ID is" : "Ready to accept connections";
    const what = `redis-server on port ${this.port} to be ready`;
    await until(what, async () => (await this.#mustRun()).output.includes(text), { within: 60_000, every: 5 });
    await until(what, async () => {
      await this.#mustRun();
      const pid = field(await withClient(this.#login, (client) => client.info("server")), "process_id");
      if (pid === String(this.pid)) return true;
      throw new Fatal(`Port ${this.port} is answered by process ${pid}, not by ours, ${this.pid}.`);
    });
  }

  get #login(): Login {
    const { password } = this.#recipe;
    return password === undefined ? this.address : { ...this.address, password };
  }

  async #mustRun(): Promise<OwnedProcess> {
    if (this.running && this.#stopped === undefined) return this.#process;
    throw new Fatal(`The redis-server on port ${this.port} ended before it was ready:\n${await this.#process.lastWords()}`);
  }

  async #again(): Promise<void> {
    if (this.#stopped !== undefined) throw new Error("This redis-server was stopped for good: start another one.");
    this.#process = this.#spawn();
    await this.whenReady();
  }

  #spawn(): OwnedProcess {
    const title = ["--proc-title-template", `{title} {listen-addr} {server-mode} ${this.dir}`]; // for `ps`
    const command = [...(this.#recipe.namespace?.prefix ?? []), this.#binary.path, ...this.#args, ...title];
    return spawnOwned(command, { env: this.#binary.env, cwd: this.dir });
  }

  async #stop(): Promise<void> {
    await this.#process.kill();
    await this.#folder?.remove();
  }

  async #remove(...names: string[]): Promise<void> {
    await Promise.all(names.map((name) => rm(join(this.dir, name), { recursive: true, force: true })));
  }
}

/** Whether another process took the port between the probe and the start. */
function isPortTaken(error: unknown): boolean {
  return error instanceof Fatal && error.message.includes("Address already in use");
}
