/** A program that runs in several processes with shared limits. It keeps up a load and records every decision. */
import { RedisBackend, type RedisBackendOptions } from "@ratelimit/backend-redis";
import { type Decision, Events, Load, type tight } from "./load.ts";

/** The work of one process. */
export interface RecorderJob {
  readonly backend: RedisBackendOptions;
  readonly name: string;
  readonly limit: typeof tight;
  readonly keys: readonly string[];
  readonly everyMs: number;
}

/** What a process saw. */
export interface Record {
  readonly decisions: readonly Decision[];
  readonly events: Events["all"];
}

process.once("message", ({ backend: options, ...job }: RecorderJob) => {
  const events = new Events();
  const backend = new RedisBackend({ ...options, onOutage: events.listener });
  const load = new Load(backend, job);
  const stop = async (): Promise<void> => {
    const decisions = await load.stop();
    await backend.close();
    const record: Record = { decisions: decisions.map(readable), events: events.all };
    process.send?.(record, () => process.disconnect());
  };
  process.once("message", () => void stop());
  process.send?.("asking");
});

/** Errors cannot be sent to another process unchanged. */
function readable({ error, ...decision }: Decision): Decision {
  return error === undefined ? decision : { ...decision, error: error instanceof Error ? error.message : "no Error" };
}
