import type { Entry } from "./entry.ts";
import { chooseFormat, type Format, type LogOptions } from "./format.ts";
import { linesOf } from "./lines.ts";
import type { OpenLog } from "./open.ts";

/** A line that could not be read, to show to the user. */
export interface BadLine {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly text: string;
}

/** What was read so far, over all logs. */
export class Reading {
  bytes = 0;
  lines = 0;
  bad = 0;
  keyless = 0;
  /** The first bad lines. */
  readonly samples: BadLine[] = [];
  readonly formats: Set<string> = new Set();

  addBad(line: BadLine): void {
    this.bad++;
    if (this.samples.length < mostSamples) this.samples.push({ ...line, text: line.text.slice(0, longestSample) });
  }
}

const [mostSamples, longestSample] = [3, 120];

/** The lines from which the format is chosen. */
const sampleSize = 50;

/** Reads the requests of a log, those of each chunk together. Empty lines do not count. */
export async function* entriesOf(log: OpenLog, options: LogOptions, reading: Reading): AsyncGenerator<Entry[]> {
  let format: Format | undefined;
  let number = 0;
  const addBytes = (bytes: number): void => {
    reading.bytes += bytes;
  };
  for await (const lines of linesOf(log.content(addBytes))) {
    format ??= formatFor(log, options, lines, reading);
    const entries: Entry[] = [];
    for (const line of lines) {
      number++;
      if (line === "") continue;
      reading.lines++;
      const parsed = format?.parse(line) ?? "bad";
      if (parsed === "bad") reading.addBad({ file: log.name, line: number, text: line });
      else if (parsed === "keyless") reading.keyless++;
      else entries.push(parsed);
    }
    if (entries.length > 0) yield entries;
  }
}

/** `undefined` for as long as the log has only empty lines. */
function formatFor(log: OpenLog, options: LogOptions, lines: readonly string[], reading: Reading): Format | undefined {
  const sample = lines.filter((line) => line !== "").slice(0, sampleSize);
  if (sample.length === 0) return undefined;
  const format = chooseFormat(options, log.name, sample);
  reading.formats.add(format.name);
  return format;
}
