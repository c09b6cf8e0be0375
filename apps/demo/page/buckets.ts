import type { Limit } from "@ratelimit/core/backend";
import type { Decision } from "../src/play/decision.ts";
import { fullLevel, type Level, retryMsAt } from "./bucket.ts";

/** Identifies the client or process that a bucket belongs to. */
export interface Holder {
  readonly client: string;
  /** The process that answers. */
  readonly pid: number;
  /** Whether processes share the backend's buckets. */
  readonly shared: boolean;
}

/** What a request asked for. */
export interface Asked {
  readonly limit: Limit;
  readonly cost: number;
}

/**
 * The buckets of the page. Two panels that use the same bucket see the same level. While Redis is out, each process has a bucket of its own,
 * so what a panel sees depends on who made its last decision.
 */
export class Buckets {
  readonly #levels = new Map<string, { level: Level; decidedAt: number }>();
  /** Who made the last decision for each holder, and when. */
  readonly #last = new Map<string, { local: boolean; decidedAt: number }>();
  readonly #processes: number;

  /** @param processes how many processes split a limit while Redis is out */
  constructor(processes: number) {
    this.#processes = processes;
  }

  /** The level of a holder's bucket; a full one if it has not been used. */
  levelOf(holder: Holder, limit: Limit, now: number): Level {
    const local = this.#last.get(ownName(holder))?.local ?? false;
    return this.#levels.get(nameOf(holder, local))?.level ?? fullLevel(limit, now);
  }

  /** Notes a decision that the page had at `at`. Answers can overtake each other, so an older decision changes nothing. */
  note(holder: Holder, { limit, cost }: Asked, decision: Decision, at: number): void {
    const local = decision.source === "local";
    const { used, retryMs, at: decidedAt } = decision;
    const last = this.#last.get(ownName(holder));
    if (last === undefined || decidedAt >= last.decidedAt) this.#last.set(ownName(holder), { local, decidedAt });
    const name = nameOf(holder, local);
    if (decidedAt < (this.#levels.get(name)?.decidedAt ?? 0)) return;
    const level: Level = { limit, used, at, blockedUntil: at, instances: local && holder.shared ? this.#processes : 1 };
    // Only a block makes a client wait for longer than the bucket needs.
    const isBlocked = retryMs !== null && retryMs > retryMsAt(level, cost, at);
    this.#levels.set(name, { decidedAt, level: isBlocked ? { ...level, blockedUntil: at + retryMs } : level });
  }
}

function nameOf(holder: Holder, local: boolean): string {
  return holder.shared && !local ? holder.client : ownName(holder);
}

function ownName({ client, pid }: Holder): string {
  return `${pid} ${client}`;
}
