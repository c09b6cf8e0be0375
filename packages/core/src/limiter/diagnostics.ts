import { channel } from "node:diagnostics_channel";
import type { KeyScope } from "../backend/backend.ts";
import type { RateLimitResult } from "../decision/result.ts";
import { publish } from "../listeners.ts";

/** A message on `ratelimit:decision`: one decision of a limiter. */
export interface DecisionMessage {
  /** The name of the limiter. */
  readonly limiter: string;
  readonly scope: KeyScope;
  readonly cost: number;
  readonly result: RateLimitResult;
  /** Milliseconds that the key stays blocked, even if tokens are left; absent if it is not blocked. */
  readonly blockedMs?: number;
  /** The time from the call to its answer, in ms. */
  readonly durationMs: number;
}

/** A message on `ratelimit:block`: a call of `block` took effect. Blocks that a policy starts are in {@link DecisionMessage.blockedMs}. */
export interface BlockMessage {
  /** The name of the limiter. */
  readonly limiter: string;
  readonly scope: KeyScope;
  /** How long the key is blocked, in ms. */
  readonly durationMs: number;
}

const listenerThrew = "RATELIMIT_LISTENER_THREW";
const decisions = channel("ratelimit:decision");
const blocks = channel("ratelimit:block");

export function decisionsAreHeard(): boolean {
  return decisions.hasSubscribers;
}

export function publishDecision(message: DecisionMessage): void {
  publish(decisions, message, listenerThrew);
}

/** Reports a block, if anyone is subscribed. */
export function publishBlock(message: BlockMessage): void {
  if (blocks.hasSubscribers) publish(blocks, message, listenerThrew);
}
