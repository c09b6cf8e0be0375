import { Failure } from "../failure.ts";
import type { LineParser } from "./entry.ts";
import { jsonParser, recordOf } from "./json-format.ts";
import { type KeySource, parseKey } from "./key.ts";
import { textFormats, textParser } from "./text-format.ts";

/** How to read the lines of a log. */
export interface LogOptions {
  /** `auto`, a name of a format, or a `log_format` of nginx. */
  readonly format: string;
  readonly key: string;
  /** The field of the time in a JSON log. */
  readonly time?: string | undefined;
}

/** A format that was chosen, and the parser of its lines. */
export interface Format {
  readonly name: string;
  readonly parse: LineParser;
}

/** Checks the options before a log is opened, so that a mistake is reported at once. */
export function checkFormat({ format, key }: LogOptions): void {
  const source = parseKey(key);
  if (format === "auto" || format === "json") return;
  textParser(definitionOf(format), source);
}

/** Chooses the format of a log by some of its lines: the one that can read most of them; `undefined` if none can read any. */
export function chooseFormat(options: LogOptions, sample: readonly string[]): Format | undefined {
  const key = parseKey(options.key);
  if (options.format !== "auto") return formatOf(options.format, key, options);
  const candidates = ["json", ...Object.keys(textFormats)].map((name) => ({ name, read: readable(name, sample) }));
  const [best] = candidates.sort((a, b) => b.read - a.read);
  return best === undefined || best.read === 0 ? undefined : formatOf(best.name, key, options);
}

function formatOf(format: string, key: KeySource, { time }: LogOptions): Format {
  if (format === "json") return { name: format, parse: jsonParser(key, time) };
  return { name: Object.hasOwn(textFormats, format) ? format : "custom", parse: textParser(definitionOf(format), key) };
}

/** How many of the lines a format can read, whatever the key. */
function readable(name: string, sample: readonly string[]): number {
  if (name === "json") return sample.filter((line) => recordOf(line) !== undefined).length;
  const parse = textParser(textFormats[name] as string, { kind: "ip" });
  return sample.filter((line) => parse(line) !== "bad").length;
}

function definitionOf(format: string): string {
  const named = Object.hasOwn(textFormats, format) ? textFormats[format] : undefined;
  if (named !== undefined) return named;
  if (format.includes("$")) return format;
  const names = ["auto", "json", ...Object.keys(textFormats)].join(", ");
  throw new Failure(
    `Expected \`--format\` to be ${names} or a log_format of nginx, got ${JSON.stringify(format)}: write for example --format '$remote_addr [$time_local]'`,
  );
}
