import { channel } from "node:diagnostics_channel";
import type { Scope } from "./backend.ts";
import { publish } from "./listeners.ts";
import type { RateLimitResult } from "./result.ts";

/** On `ratelimit:decision`: one decision of a limiter. */
export interface DecisionMessage {
  readonly scope: Scope;
  readonly cost: number;
  readonly result: RateLimitResult;
  /** From the call to its answer, in ms. */
  readonly durationMs: number;
}

/** On `ratelimit:evict`: buckets forgotten because a table was at its `maxKeys`. */
export interface EvictMessage {
  readonly count: number;
}

const listenerThrew = "RATELIMIT_LISTENER_THREW";
const decisions = channel("ratelimit:decision");
const evictions = channel("ratelimit:evict");

export function decisionsAreHeard(): boolean {
  return decisions.hasSubscribers;
}

export function publishDecision(message: DecisionMessage): void {
  publish(decisions, message, listenerThrew);
}

export function publishEviction(message: EvictMessage): void {
  if (evictions.hasSubscribers) publish(evictions, message, listenerThrew);
}
