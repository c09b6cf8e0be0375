import type { Reading } from "../logs/source.ts";
import type { WrittenPolicy } from "../replay/policy-text.ts";
import type { Replay } from "../replay/replay.ts";
import { type Bins, binned } from "./bins.ts";
import { type LogLines, linesOf } from "./notes.ts";

/** What `replay --json` prints, and what the other reports show. Times are ISO strings in UTC. */
export interface Report {
  readonly files: readonly string[];
  readonly formats: readonly string[];
  readonly key: string;
  /** The times of the first and the last request; `null` if there was none. */
  readonly from: string | null;
  readonly to: string | null;
  readonly requests: number;
  /** How many keys the requests had. */
  readonly clients: number;
  readonly lines: LogLines;
  readonly policies: readonly PolicyReport[];
  readonly timeline: {
    readonly stepSeconds: number;
    readonly starts: readonly string[];
    readonly requests: readonly number[];
  };
  /** Buckets that were dropped because there were too many. Above 0, the refusals are a lower bound. */
  readonly evictions: number;
}

export interface PolicyReport {
  /** As the user wrote it: `100/1m:150`. */
  readonly policy: string;
  readonly limits: readonly { readonly rate: number; readonly periodSeconds: number; readonly burst: number }[];
  readonly blockSeconds: number;
  readonly refused: number;
  readonly refusedClients: number;
  readonly worstMinute: { readonly start: string; readonly requests: number; readonly refused: number; readonly clients: number } | null;
  /** The clients that were refused most. */
  readonly topKeys: readonly {
    readonly key: string;
    readonly requests: number;
    readonly refused: number;
    readonly firstRefused: string;
    readonly lastRefused: string;
  }[];
  /** Refused requests in each step of the timeline. */
  readonly refusedOverTime: readonly number[];
}

/** What a report is about, besides what was counted. */
export interface Subject {
  readonly files: readonly string[];
  readonly key: string;
  readonly policies: readonly WrittenPolicy[];
  /** How many of the most refused clients to list. */
  readonly top: number;
}

/** The most steps of a timeline. */
const mostSteps = 240;

export function reportOf({ files, key, policies, top }: Subject, reading: Reading, replay: Replay): Report {
  const bins = binned(replay.minutes, mostSteps);
  return {
    files,
    formats: [...reading.formats],
    key,
    from: replay.span === undefined ? null : isoTime(replay.span.first),
    to: replay.span === undefined ? null : isoTime(replay.span.last),
    requests: replay.requests,
    clients: replay.clients,
    lines: linesOf(reading, replay.clock),
    policies: policies.map((policy, i) => policyReport(policy, replay, i, top, bins)),
    timeline: { stepSeconds: bins.stepMs / 1000, starts: bins.starts.map(isoTime), requests: bins.requests },
    evictions: replay.evictions,
  };
}

function policyReport({ text, policy }: WrittenPolicy, replay: Replay, index: number, top: number, bins: Bins): PolicyReport {
  const { refused, refusedClients, worstMinute } = replay.outcome(index);
  return {
    policy: text,
    limits: policy.limits.map(({ rate, period, burst }) => ({ rate, periodSeconds: period, burst })),
    blockSeconds: policy.blockMs / 1000,
    refused,
    refusedClients,
    worstMinute: worstMinute === undefined ? null : { ...worstMinute, start: isoTime(worstMinute.start) },
    topKeys: replay.top(index, top).map(({ first, last, ...counts }) => ({
      ...counts,
      firstRefused: isoTime(first),
      lastRefused: isoTime(last),
    })),
    refusedOverTime: bins.refused[index] as number[],
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
