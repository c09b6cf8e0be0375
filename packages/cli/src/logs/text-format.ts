import { Failure } from "../failure.ts";
import type { LineParser } from "./entry.ts";
import { addressKey, type KeySource } from "./key.ts";
import { anyTime, clfTime } from "./time.ts";

const common = '$remote_addr $ident $remote_user [$time_local] "$request" $status $body_bytes_sent';
const combined = `${common} "$http_referer" "$http_user_agent"`;

/** The text formats with a name, as nginx writes a `log_format`. The most specific comes first, because a line may have more fields. */
export const textFormats: Readonly<Record<string, string>> = {
  nginx: `${combined} "$http_x_forwarded_for"`,
  combined,
  common,
};

/** How to read each variable that can hold the time. */
const timeReaders: Readonly<Record<string, (text: string) => number>> = { time_local: clfTime, time_iso8601: anyTime, msec: anyTime };

/**
 * Compiles a `log_format` of nginx into a parser.
 * @throws {Failure} if the format has no time, or no field for the key.
 */
export function textParser(format: string, key: KeySource): LineParser {
  const variables = [...format.matchAll(/\$(\w+)/g)].map(([, name = ""]) => name);
  const line = lineOf(format);
  const time = variables.findIndex((name) => Object.hasOwn(timeReaders, name));
  if (time < 0) throw new Failure(`Expected \`--format\` to hold a time, got none: add ${among(Object.keys(timeReaders))}`);
  const readTime = timeReaders[variables[time] as string] as (text: string) => number;
  const keyPlace = variables.indexOf(variableOf(key)) + 1;
  if (keyPlace === 0) throw new Failure(noKey(key, variables));
  const isAddress = key.kind === "ip";
  // Many lines in a row have the same time, which is slow to read.
  let [lastText, lastTime] = ["", Number.NaN];
  return (text) => {
    const fields = line.exec(text);
    if (fields === null) return "bad";
    const timeText = fields[time + 1] as string;
    if (timeText !== lastText) [lastText, lastTime] = [timeText, readTime(timeText)];
    if (Number.isNaN(lastTime)) return "bad";
    const found = fields[keyPlace] as string;
    if (found === "-" || found === "") return "keyless";
    return { time: lastTime, key: isAddress ? addressKey(found) : found };
  };
}

/**
 * The pattern of a line. A field ends at the character that follows it in the format; a quoted one may hold escaped quotes. Fields beyond
 * the end of the format are ignored. No part can match what the next one begins with, so no line makes the pattern slow.
 */
function lineOf(format: string): RegExp {
  const parts = format.split(/\$\w+/);
  const fields = parts.slice(1).map((after, i) => {
    const end = after[0] ?? " ";
    const isQuoted = end === '"' && parts[i]?.endsWith('"');
    return `${isQuoted ? '((?:[^"\\\\]|\\\\.)*)' : `([^${escaped(end)}]*)`}${escaped(after)}`;
  });
  return new RegExp(`^${escaped(parts[0] as string)}${fields.join("")}(?:\\s|$)`);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|-]/g, "\\$&");
}

function variableOf(key: KeySource): string {
  if (key.kind === "ip") return "remote_addr";
  if (key.kind === "user") return "remote_user";
  return key.kind === "header" ? `http_${key.name.replaceAll("-", "_")}` : "";
}

function noKey(key: KeySource, variables: readonly string[]): string {
  if (key.kind === "json") return "Expected `--key json:PATH` to go with a JSON log, got a text log: write --key ip, user or header:NAME";
  const headers = variables.filter((name) => name.startsWith("http_")).map((name) => name.slice(5).replaceAll("_", "-"));
  const known = headers.length === 0 ? "it has no header" : `its headers are ${headers.join(", ")}`;
  const shown = key.kind === "header" ? `header:${key.name}` : key.kind;
  return `Expected \`--key\` to be a field of the log, got ${JSON.stringify(shown)}: ${known}; if it is there, describe the log with --format`;
}

function among(names: readonly string[]): string {
  return `${names
    .slice(0, -1)
    .map((name) => `$${name}`)
    .join(", ")} or $${names.at(-1)}`;
}
