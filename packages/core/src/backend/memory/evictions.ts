import { channel } from "node:diagnostics_channel";
import { publish } from "../../listeners.ts";

/** A message on `ratelimit:evict`: how many buckets a table at its `maxKeys` has just forgotten. */
export interface EvictMessage {
  readonly count: number;
}

const evictions = channel("ratelimit:evict");

/** Reports evicted buckets, if anyone is subscribed. */
export function publishEviction(message: EvictMessage): void {
  if (evictions.hasSubscribers) publish(evictions, message, "RATELIMIT_LISTENER_THREW");
}
