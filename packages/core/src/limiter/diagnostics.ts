import { channel } from "node:diagnostics_channel";
import type { KeyScope } from "../backend/backend.ts";
import type { RateLimitResult } from "../decision/result.ts";
import { publish } from "../listeners.ts";

/** A message on `ratelimit:decision`: one decision of a limiter. */
export interface DecisionMessage {
  readonly scope: KeyScope;
  readonly cost: number;
  readonly result: RateLimitResult;
  /** The time from the call to its answer, in ms. */
  readonly durationMs: number;
}

const listenerThrew = "RATELIMIT_LISTENER_THREW";
const decisions = channel("ratelimit:decision");

export function decisionsAreHeard(): boolean {
  return decisions.hasSubscribers;
}

export function publishDecision(message: DecisionMessage): void {
  publish(decisions, message, listenerThrew);
}
