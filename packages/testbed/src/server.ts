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

/** Where a server is put. Nothing listens on the second port but a cluster bus, or TLS. */
export interface Place {
  readonly dir: string;
  readonly port: number;
  readonly secondPort: number;
}

/** What a server is started with. */
export interface Recipe {
  /** Its arguments; the files they name are written here too. */
  readonly args: (place: Place) => string[] | Promise<string[]>;
  readonly sentinel?: boolean;
  readonly password?: string;
  /** Instead of a free one. */
  readonly port?: number | undefined;
  /** Instead of a temporary one; this one is not removed. */
  readonly dir?: string | undefined;
  /** In which it runs, instead of the network of this process. */
  readonly namespace?: NetworkNamespace | undefined;
}

/** What every data server of the testbed is started with: nothing saved unasked, replicas synced at once. */
export const COMMON: readonly string[] = [...["--save", ""], ...["--repl-diskless-sync-delay", "0"]];

/** Where it listens: on loopback, or under the one address of its namespace, where nobody else is. */
export function binding(namespace?: NetworkNamespace): string[] {
  return ["--bind", namespace?.host ?? HOST, "--protected-mode", namespace === undefined ? "yes" : "no"];
}

// Asked once: else a first run would download it as often as it starts servers.
let binary: Promise<RedisBinary> | undefined;

/** Starts a server and waits until it answers. Whoever calls this stops it. */
export async function startServer(recipe: Recipe): Promise<RedisServer> {
  binary ??= findRedisServer().catch((error: unknown) => {
    binary = undefined;
    throw error;
  });
  const found = await binary;
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

/** Starts them side by side; if one fails, none stays. */
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

/** One redis-server of our own. */
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

  /** Of the process that runs now, or ran last. */
  get pid(): number {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** The last of its log. */
  get log(): string {
    return this.#process.output;
  }

  /** SIGSTOP: its connections stand, nothing answers. */
  pause(): void {
    this.#process.signal("SIGSTOP");
    this.#paused = true;
  }

  /** SIGCONT. */
  resume(): void {
    this.#process.signal("SIGCONT");
    this.#paused = false;
  }

  /** SIGKILL; settled when the process is gone. What it had not saved is lost. */
  async kill(): Promise<void> {
    await this.#process.kill();
    this.#paused = false;
  }

  /**
   * Starts it again on the same port; settled when it answers. One that still runs saves its data first, unless it is
   * paused or `empty` is asked for. One that was killed comes back with its append-only file, or else with nothing.
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
    // Else a later kill and restart would bring back the data of today.
    if (this.#folder !== undefined) await this.#remove("dump.rdb");
  }

  /** SIGKILL, and its folder is removed. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** @internal Waits until it answers, and makes sure that it is this very process which answers. */
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

/** Somebody took the port between the probe and the start. */
function isPortTaken(error: unknown): boolean {
  return error instanceof Fatal && error.message.includes("Address already in use");
}
