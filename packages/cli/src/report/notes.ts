import type { BadLine, Reading } from "../logs/source.ts";
import type { LogClock } from "../replay/log-clock.ts";
import type { Terminal } from "./terminal.ts";
import { counted, printable, shortened, span } from "./wording.ts";

/** What became of the lines of the logs. */
export interface LogLines {
  readonly read: number;
  readonly bad: number;
  /** The first bad lines. */
  readonly badSamples: readonly BadLine[];
  /** Requests without a key, which were not replayed. */
  readonly keyless: number;
  /** Requests that were earlier than one before them, and by how many seconds at most. */
  readonly late: number;
  readonly mostLateSeconds: number;
}

export function linesOf(reading: Reading, { late, mostLateMs }: LogClock): LogLines {
  const { lines: read, bad, samples: badSamples, keyless } = reading;
  return { read, bad, badSamples, keyless, late, mostLateSeconds: mostLateMs / 1000 };
}

/** A request that is written this long after one that began later is not just a slow one. */
const farLateSeconds = 600;

export function isFarLate({ mostLateSeconds }: Pick<LogLines, "mostLateSeconds">): boolean {
  return mostLateSeconds > farLateSeconds;
}

export const heldBack = "a line with a wrong time holds back all lines after it.";

/** The answer for a log without a request that can be replayed. */
export function noRequests({ bad, keyless }: Pick<LogLines, "bad" | "keyless">): string {
  return bad + keyless > 0 ? "No line of the log could be used." : "The log holds no requests.";
}

/** What a reader must know of the lines to trust the figures, for a terminal. */
export function notes({ bad, badSamples, keyless, late, mostLateSeconds }: LogLines, key: string, { colors, width }: Terminal): string {
  const found: string[] = [];
  if (bad > 0) {
    found.push(`${counted(bad, "line")} could not be read${bad > badSamples.length ? ", such as" : ""}:`);
    for (const { file, line, text } of badSamples)
      found.push(colors.dim(`  ${shortened(printable(`${file}:${line}: ${text}`), Math.max(40, width - 2))}`));
  }
  if (keyless > 0) found.push(`${counted(keyless, "request")} had no key (${key}) and did not count.`);
  if (late > 0) found.push(lateNote({ late, mostLateSeconds }));
  if (isFarLate({ mostLateSeconds })) found.push(`That is far: ${heldBack}`);
  return found.join("\n");
}

export function lateNote({ late, mostLateSeconds }: Pick<LogLines, "late" | "mostLateSeconds">): string {
  return `${counted(late, "request")} came out of order, by up to ${span(mostLateSeconds)}, and counted at the latest time before ${late === 1 ? "it" : "them"}.`;
}
