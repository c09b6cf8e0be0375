import type { BackendReply, KeyScope } from "../backend/backend.ts";
import type { Limit } from "../policy/policy.ts";
import { debtCeiling } from "../policy/token-bucket.ts";
import type { LastSeen } from "./last-seen.ts";

/** The most units to count. The sum of two such numbers is still exact. */
const most = 2 ** 52;

/**
 * Decides alone during an outage, with local buckets that admit this process's part of each limit: one of `instances`.
 *
 * Instead of shrinking the bucket, a call needs and takes `instances` times its cost. Units then mean the same as in the backend, and a
 * bucket can start from the backend's last known state, so a client that was refused stays refused. A call that would need more than the
 * burst needs just the burst and leaves a debt, so that even the smallest bucket admits its part and no more.
 */
export class LocalFallback {
  readonly #instances: number;
  readonly #seen: LastSeen;

  constructor(instances: number, seen: LastSeen) {
    this.#instances = instances;
    this.#seen = seen;
  }

  take(scope: KeyScope, key: string, cost: number): BackendReply {
    const { limits, blockMs } = scope.policy;
    const { used: before, blockedMs } = this.#seen.read(scope, key);
    const charge = cost * this.#instances;
    const enough = (limit: Limit, i: number): boolean =>
      cost <= limit.burst && (before[i] as number) + Math.min(charge, limit.burst) * limit.unitsPerToken <= limit.capacityUnits;
    const allowed = limits.every(enough) && (cost === 0 || blockedMs === 0);
    const startsBlock = !allowed && cost > 0 && blockMs > 0 && blockedMs === 0;
    const used = allowed ? limits.map((limit, i) => (before[i] as number) + charge * limit.unitsPerToken) : before;
    return this.#answer(scope, key, allowed, cost > 0 && (allowed || startsBlock), used, startsBlock ? blockMs : blockedMs);
  }

  /** Charges or refunds for all processes. A charge stops at a debt of one burst, even if calls have left a larger one. */
  adjust(scope: KeyScope, key: string, tokens: number): BackendReply {
    const { limits } = scope.policy;
    const { used: before, blockedMs } = this.#seen.read(scope, key);
    const used = limits.map((limit, i) => this.#adjusted(limit, before[i] as number, tokens));
    const uncharged = Math.max(...limits.map((limit, i) => Math.max(0, tokens - this.#roomOf(limit, before[i] as number))));
    return { ...this.#answer(scope, key, true, true, used, blockedMs), uncharged };
  }

  block(scope: KeyScope, key: string, ms: number): void {
    this.#seen.block(scope, key, ms);
  }

  #adjusted(limit: Limit, before: number, tokens: number): number {
    // More than two bursts would have no further effect, and could not be counted exactly.
    const bound = 2 * limit.burst;
    const units = Math.min(bound, Math.max(-bound, tokens)) * limit.unitsPerToken * this.#instances;
    return Math.max(0, units < 0 ? before + units : Math.min(Math.max(before, debtCeiling(limit)), before + units));
  }

  /** Whole tokens that can be charged before the debt reaches one burst. */
  #roomOf(limit: Limit, before: number): number {
    return Math.max(0, Math.floor((debtCeiling(limit) - before) / (limit.unitsPerToken * this.#instances)));
  }

  #answer(scope: KeyScope, key: string, allowed: boolean, changed: boolean, units: readonly number[], blockedMs: number): BackendReply {
    const used = units.map((count) => Math.min(most, count));
    if (changed) this.#seen.write(scope, key, used, blockedMs);
    return {
      allowed,
      used: used.length === 1 ? (used[0] as number) : used,
      source: "local",
      instances: this.#instances,
      ...(blockedMs > 0 && { blockedMs }),
    };
  }
}
