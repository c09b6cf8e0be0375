/** What the page and its server say to each other. */
import type { Address } from "../play/process.ts";

/** What can be done to the Redis server that the demo started. */
export type RedisAction = "freeze" | "kill" | "restart" | "resume";

/** The state of Redis. `foreign` was given by the environment, so the demo does not touch it. `missing` could not be started. */
export interface RedisStatus {
  readonly state: "foreign" | "frozen" | "killed" | "missing" | "running";
  /** Why there is no server, or why it cannot be controlled. */
  readonly reason?: string;
}

/** A process that serves `/play`. */
export interface PlayProcess {
  readonly pid: number;
  readonly addresses: readonly Address[];
}

/** What the page offers. */
export interface Setup {
  readonly frameworks: readonly string[];
  readonly backends: readonly { readonly name: string; readonly shared: boolean; readonly missing?: string }[];
  readonly processes: readonly PlayProcess[];
  readonly redis: RedisStatus;
}
