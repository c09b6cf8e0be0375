import type { Standalone } from "@ratelimit/testbed";
import type { RedisAction, RedisStatus } from "./contract.ts";

/** The Redis server of the page. */
export interface PageRedis {
  /** Its address; `undefined` if there is none. */
  readonly url: string | undefined;
  readonly status: RedisStatus;
  /** Does something to the server, and returns what became of it. Does nothing to a server that the demo has not started. */
  act(action: RedisAction): Promise<RedisStatus>;
  stop(): Promise<void>;
}

/** Takes the server that the environment names, or starts one. */
export async function openRedis(given: string | undefined): Promise<PageRedis> {
  if (given !== undefined)
    return untouched(given, {
      state: "foreign",
      reason: "The demo only stops servers that it has started. Unset RATELIMIT_REDIS_URL to try this.",
    });
  try {
    // Loaded late, so that the demo starts fast.
    const { startStandalone } = await import("@ratelimit/testbed");
    return new OwnRedis(await startStandalone());
  } catch (error) {
    return untouched(undefined, { state: "missing", reason: (error as Error).message });
  }
}

function untouched(url: string | undefined, status: RedisStatus): PageRedis {
  return { url, status, act: async () => status, stop: async () => {} };
}

/** A server that the demo has started and may stop. */
class OwnRedis implements PageRedis {
  readonly url: string;
  readonly #standalone: Standalone;
  #state: "frozen" | "killed" | "running" = "running";
  /** Actions take effect one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(standalone: Standalone) {
    this.#standalone = standalone;
    this.url = standalone.url;
  }

  get status(): RedisStatus {
    return { state: this.#state };
  }

  act(action: RedisAction): Promise<RedisStatus> {
    const done = this.#last.then(async () => {
      await this.#do(action);
      return this.status;
    });
    this.#last = done.catch(() => {});
    return done;
  }

  stop(): Promise<void> {
    return this.#standalone.stop();
  }

  async #do(action: RedisAction): Promise<void> {
    const { server } = this.#standalone;
    switch (action) {
      case "freeze":
        if (this.#state !== "running") return;
        server.pause();
        this.#state = "frozen";
        return;
      case "resume":
        if (this.#state !== "frozen") return;
        server.resume();
        this.#state = "running";
        return;
      case "kill":
        await server.kill();
        this.#state = "killed";
        return;
      case "restart":
        await server.restart();
        this.#state = "running";
    }
  }
}
