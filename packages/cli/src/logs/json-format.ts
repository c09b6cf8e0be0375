import type { LineParser } from "./entry.ts";
import { addressKey, type KeySource } from "./key.ts";
import { anyTime } from "./time.ts";

/** Where servers and loggers write the time: Caddy, Traefik, pino, Bunyan, Winston, Logstash and the usual nginx recipes. */
const timePaths = ["time", "ts", "timestamp", "@timestamp", "time_iso8601", "StartUTC", "msec", "time_local", "datetime", "date"];

/** Where they write the address of the client. */
const addressPaths = [
  "remote_addr",
  "remote_ip",
  "client_ip",
  "ip",
  "remoteAddress",
  "clientIp",
  "ClientHost",
  "request.client_ip",
  "request.remote_ip",
  "req.remoteAddress",
  "req.ip",
];

const userPaths = ["remote_user", "user", "user.id", "user_id", "ClientUsername"];
const headerPaths = ["headers", "request.headers", "req.headers"];

/** Compiles a parser of JSON lines. `timePath` names the field of the time, if it is none of the usual ones. */
export function jsonParser(key: KeySource, timePath?: string): LineParser {
  const times = timePath === undefined ? timePaths : [timePath];
  const keyOf = keyReader(key);
  return (line) => {
    const record = recordOf(line);
    if (record === undefined) return "bad";
    const time = timeOf(record, times);
    if (Number.isNaN(time)) return "bad";
    const found = keyOf(record);
    return found === undefined ? "keyless" : { time, key: found };
  };
}

function keyReader(key: KeySource): (record: object) => string | undefined {
  switch (key.kind) {
    case "ip":
      return (record) => {
        const found = text(first(record, addressPaths));
        return found === undefined ? undefined : addressKey(found);
      };
    case "user":
      return (record) => text(first(record, userPaths));
    case "json":
      return (record) => text(at(record, key.path));
    case "header":
      return (record) => text(header(first(record, headerPaths), key.name));
  }
}

/** The first value that is a time, because loggers also write a duration into `time`; NaN if there is none. */
function timeOf(record: object, paths: readonly string[]): number {
  for (const path of paths) {
    const time = anyTime(at(record, path));
    if (!Number.isNaN(time)) return time;
  }
  return Number.NaN;
}

/** The object that a line holds; `undefined` if it holds none. */
export function recordOf(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The first value that can be used. An object is none, so that `user` may hold an object with an `id`, unless it is asked for. */
function first(record: object, paths: readonly string[]): unknown {
  for (const path of paths) {
    const value = at(record, path);
    if (value !== undefined && value !== null && value !== "" && (paths === headerPaths || typeof value !== "object")) return value;
  }
  return undefined;
}

/** The value at a path such as `user.id`; a field whose own name is `user.id` comes first. */
function at(record: object, path: string): unknown {
  if (Object.hasOwn(record, path)) return (record as Record<string, unknown>)[path];
  const dot = path.indexOf(".");
  if (dot < 0) return undefined;
  const inner = at(record, path.slice(0, dot));
  return typeof inner === "object" && inner !== null ? at(inner, path.slice(dot + 1)) : undefined;
}

function header(headers: unknown, name: string): unknown {
  if (typeof headers !== "object" || headers === null) return undefined;
  const [, value] = Object.entries(headers).find(([own]) => own.toLowerCase() === name) ?? [];
  return Array.isArray(value) ? (value as unknown[])[0] : value;
}

function text(value: unknown): string | undefined {
  if (typeof value === "string") return value === "" || value === "-" ? undefined : value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
