import { Failure } from "../failure.ts";
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

/** Reads the requests of a log, those of each chunk together. Empty lines do not count. */
export async function* entriesOf(log: OpenLog, options: LogOptions, reading: Reading): AsyncGenerator<Entry[]> {
  const reader = new LogReader(log.name, options, reading);
  const addBytes = (bytes: number): void => {
    reading.bytes += bytes;
  };
  for await (const lines of linesOf(log.content(addBytes))) {
    const entries = reader.read(lines);
    if (entries.length > 0) yield entries;
  }
  const rest = reader.end();
  if (rest.length > 0) yield rest;
}

/** The lines from which the format is chosen together, and after how many the search for one that fits ends. */
const [sampleSize, mostSearched] = [50, 1000];

/** Reads the lines of one log. Those that come before the first one that a format fits, such as the messages of a start, are bad. */
class LogReader {
  readonly #name: string;
  readonly #options: LogOptions;
  readonly #reading: Reading;
  readonly #sampleSize: number;
  #format: Format | undefined;
  #sample: BadLine[] = [];
  #firstLine = "";
  #searched = 0;
  #number = 0;

  constructor(name: string, options: LogOptions, reading: Reading) {
    this.#name = name;
    this.#options = options;
    this.#reading = reading;
    this.#sampleSize = options.format === "auto" ? sampleSize : 1;
  }

  /** Returns the requests of the lines, and of those before them that waited for a format. */
  read(lines: readonly string[]): Entry[] {
    const entries: Entry[] = [];
    for (const line of lines) {
      this.#number++;
      if (line === "") continue;
      this.#reading.lines++;
      if (this.#format !== undefined) this.#parse(this.#format, line, this.#number, entries);
      else if (this.#sample.push({ file: this.#name, line: this.#number, text: line }) === this.#sampleSize) this.#choose(entries);
    }
    return entries;
  }

  /** Reads the lines that still wait for a format. */
  end(): Entry[] {
    const entries: Entry[] = [];
    if (this.#sample.length > 0) this.#choose(entries);
    if (this.#format === undefined && this.#searched > 0) throw this.#unrecognized();
    return entries;
  }

  /** Chooses the format by the sample. If none fits, the next lines are the next sample. */
  #choose(entries: Entry[]): void {
    const sample = this.#sample;
    this.#sample = [];
    if (this.#searched === 0) this.#firstLine = (sample[0] as BadLine).text;
    this.#searched += sample.length;
    this.#format = chooseFormat(
      this.#options,
      sample.map(({ text }) => text),
    );
    if (this.#format === undefined) {
      if (this.#searched >= mostSearched) throw this.#unrecognized();
      for (const line of sample) this.#reading.addBad(line);
      return;
    }
    this.#reading.formats.add(this.#format.name);
    for (const { text, line } of sample) this.#parse(this.#format, text, line, entries);
  }

  #unrecognized(): Failure {
    const firstLine = JSON.stringify(this.#firstLine.slice(0, 100));
    return new Failure(`Cannot recognize the format of ${this.#name}, whose first line is ${firstLine}: describe it with --format`);
  }

  #parse(format: Format, line: string, number: number, entries: Entry[]): void {
    const parsed = format.parse(line);
    if (parsed === "bad") this.#reading.addBad({ file: this.#name, line: number, text: line });
    else if (parsed === "keyless") this.#reading.keyless++;
    else entries.push(parsed);
  }
}
