import { backends } from "../backends.ts";
import { playProcesses } from "../play/play.ts";
import { playFrameworks } from "../play/process.ts";
import type { Environment } from "../settings.ts";
import type { RedisAction, RedisStatus, Setup } from "./contract.ts";
import { type PlayProcesses, startProcesses } from "./processes.ts";
import { openRedis, type PageRedis } from "./redis.ts";

export interface PlaygroundOptions {
  /** The program that `startProcesses` starts: the demo itself. */
  readonly program: string;
  readonly env: Environment;
}

interface Open {
  readonly redis: PageRedis;
  readonly processes: PlayProcesses;
}

/** What the page plays with: a Redis server and two processes. They start when the page is first opened, so that the demo starts fast. */
export class Playground {
  readonly #options: PlaygroundOptions;
  #open: Promise<Open> | undefined;

  constructor(options: PlaygroundOptions) {
    this.#options = options;
  }

  async setup(): Promise<Setup> {
    const { redis, processes } = await this.#opened();
    const served = new Set(processes.all.flatMap(({ addresses }) => addresses.map(({ backend }) => backend)));
    return {
      frameworks: playFrameworks.map(({ name }) => name),
      backends: backends.map(({ name, shared, needs }) => ({
        name,
        shared,
        ...(!served.has(name) && { missing: `${name} needs ${needs}` }),
      })),
      processes: processes.all,
      redis: redis.status,
    };
  }

  async act(action: RedisAction): Promise<RedisStatus> {
    const { redis } = await this.#opened();
    return redis.act(action);
  }

  async close(): Promise<void> {
    const open = await this.#open?.catch(() => undefined);
    await Promise.all([open?.processes.stop(), open?.redis.stop()]);
  }

  #opened(): Promise<Open> {
    this.#open ??= this.#start().catch((error: unknown) => {
      this.#open = undefined;
      throw error;
    });
    return this.#open;
  }

  async #start(): Promise<Open> {
    const { program, env } = this.#options;
    const redis = await openRedis(env["RATELIMIT_REDIS_URL"]);
    try {
      return { redis, processes: await startProcesses(program, playProcesses, { ...env, RATELIMIT_REDIS_URL: redis.url }) };
    } catch (error) {
      await redis.stop();
      throw error;
    }
  }
}
