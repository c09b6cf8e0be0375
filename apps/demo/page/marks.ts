import type { Decision } from "../src/play/decision.ts";

/** One decision on the timeline. */
export interface Mark extends Pick<Decision, "allowed" | "source" | "tookMs"> {
  /** ms on the clock of the page. */
  readonly at: number;
}

/** A time in which a process decided by itself: ms on the clock of the page. */
interface Outage {
  readonly from: number;
  readonly to: number;
}

/** Decisions that are further apart say nothing about the time between them. */
const longestGapMs = 2000;

/** Returns the times in which decisions were made without Redis. Only an answer of Redis ends one: a remembered refusal needs no Redis. */
export function outagesIn(marks: readonly Mark[]): Outage[] {
  const outages: Outage[] = [];
  let isOut = false;
  for (const { at, source, tookMs } of marks) {
    const last = outages.at(-1);
    if (source === "backend") isOut = false;
    if (source !== "local") continue;
    if (isOut && last !== undefined && at - last.to <= longestGapMs) outages[outages.length - 1] = { from: last.from, to: at };
    else outages.push({ from: at - tookMs, to: at });
    isOut = true;
  }
  return outages;
}
