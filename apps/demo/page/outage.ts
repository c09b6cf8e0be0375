import type { RedisAction } from "../src/page/contract.ts";
import type { Decision } from "../src/play/decision.ts";

/** What happened to the decisions since somebody pressed a button. Times are ms on the clock of the page. */
export interface Since {
  readonly action: RedisAction;
  /** When the button was pressed. */
  readonly at: number;
  /** When Redis had been stopped or started; `undefined` until then. */
  readonly doneAt: number | undefined;
  readonly decisions: number;
  /** How many of them a process made because Redis was out. */
  readonly local: number;
  /** The slowest decision, in ms. */
  readonly slowestMs: number;
  /** Milliseconds until Redis decided again after a `resume` or `restart`. */
  readonly backMs: number | undefined;
}

export function begin(action: RedisAction, at: number): Since {
  return { action, at, doneAt: undefined, decisions: 0, local: 0, slowestMs: 0, backMs: undefined };
}

/**
 * Adds a decision that the page had at `at`. Every decision since the button counts: those on their way while Redis stops are the ones
 * that meet the fault, and so the slowest.
 */
export function add(since: Since, { source, tookMs }: Decision, at: number): Since {
  const { action, doneAt } = since;
  const isBack = source === "backend" && (action === "resume" || action === "restart");
  return {
    ...since,
    decisions: since.decisions + 1,
    slowestMs: Math.max(since.slowestMs, tookMs),
    local: since.local + (source === "local" ? 1 : 0),
    // Until a restart is done, the server that decides is the one from before it.
    backMs: since.backMs ?? (isBack && doneAt !== undefined ? at - doneAt : undefined),
  };
}

/** Whether the first process has begun to decide by itself, or Redis has begun to decide again. */
export function isTurn(before: Since, after: Since): boolean {
  return (before.local === 0) !== (after.local === 0) || before.backMs !== after.backMs;
}

const deeds: Readonly<Record<RedisAction, string>> = {
  freeze: "Redis froze",
  kill: "Redis was killed",
  resume: "Redis resumed",
  restart: "Redis restarted",
};

/** Says it in a few sentences. */
export function describe({ action, decisions, local, slowestMs, backMs }: Since): string {
  if (decisions === 0) return `${deeds[action]}. No request has been answered since.`;
  const back = backMs === undefined ? "" : ` It decided again after ${Math.round(backMs)} ms.`;
  return `${deeds[action]}.${back} Of ${decisions} decision${decisions === 1 ? "" : "s"} since, the processes made ${local} without Redis. The slowest took ${Math.ceil(slowestMs)} ms.`;
}
