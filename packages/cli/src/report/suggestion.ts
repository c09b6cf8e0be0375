import type { Reading } from "../logs/source.ts";
import { type Ladder, lowestRung } from "../replay/ladder.ts";
import { limitText } from "../replay/policy-text.ts";
import { type LogLines, linesOf, noRequests, notes } from "./notes.ts";
import { table } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { count, counted, share } from "./wording.ts";

/** What `suggest --json` prints. */
export interface Suggestion {
  readonly files: readonly string[];
  readonly key: string;
  readonly requests: number;
  readonly clients: number;
  /** The share of the clients that may be refused, in percent. */
  readonly refusePercent: number;
  /** The lowest limit that keeps to it, as `--limit` takes it; `null` if none of those tried does. */
  readonly limit: string | null;
  readonly tried: readonly { readonly limit: string; readonly refused: number; readonly refusedClients: number }[];
  readonly lines: LogLines;
}

/** What was asked for. */
interface Question {
  readonly files: readonly string[];
  readonly key: string;
  readonly period: string;
  readonly refuse: number;
}

export function suggestionOf({ files, key, period, refuse }: Question, reading: Reading, ladder: Ladder): Suggestion {
  const { requests, clients, rungs } = ladder;
  const found = requests === 0 ? undefined : lowestRung(rungs, clients, refuse);
  return {
    files,
    key,
    requests,
    clients,
    refusePercent: refuse,
    limit: found === undefined ? null : limitText(found.rate, period),
    tried: rungs.map(({ rate, ...refusals }) => ({ limit: limitText(rate, period), ...refusals })),
    lines: linesOf(reading, ladder.clock),
  };
}

/** How many of the limits next to the proposed one to show, on either side. */
const neighbors = 4;

/** The proposal for a terminal. */
export function terminalSuggestion(suggestion: Suggestion, terminal: Terminal): string {
  const { requests, clients, tried, limit, key, lines } = suggestion;
  const place = limit === null ? tried.length - 1 : tried.findIndex((one) => one.limit === limit);
  const shown = requests === 0 ? [] : tried.slice(Math.max(0, place - neighbors), place + neighbors + 1);
  const rows = shown.map((one) => [
    `${one.limit}${one.limit === limit ? "  <" : ""}`,
    count(one.refusedClients),
    share(one.refusedClients, clients),
    count(one.refused),
    share(one.refused, requests),
  ]);
  const parts = [
    `${answer(suggestion, terminal)}`,
    rows.length === 0 ? "" : table(["limit", "clients refused", "of clients", "requests refused", "of requests"], rows),
    notes(lines, key, terminal),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function answer({ requests, clients, limit, refusePercent, tried, lines }: Suggestion, { colors }: Terminal): string {
  if (requests === 0) return noRequests(lines);
  const seen = `${counted(requests, "request")} from ${counted(clients, "client")}.`;
  if (limit === null) return `${seen}\nEven ${tried.at(-1)?.limit} would have refused more than ${refusePercent}% of the clients.`;
  return `${seen}\n${colors.bold(`--limit ${limit}`)} is the lowest limit that would have refused at most ${refusePercent}% of the clients.`;
}
