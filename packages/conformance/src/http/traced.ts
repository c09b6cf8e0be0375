import { inspect } from "node:util";
import type { Trace } from "../trace.ts";
import type { App, Limiter, LimiterOptions } from "./app.ts";
import { exchange, type Reply, type Sent, send, type Underway } from "./client.ts";

/** A listening application, and ways to send it requests. */
export interface Site {
  readonly port: number;
  get(path?: string, headers?: Sent["headers"]): Promise<Reply>;
  request(sent: Sent): Promise<Reply>;
  /** Sends a request that the client may abort. */
  open(sent?: Sent): Underway;
  /** Sends raw bytes on one connection, and returns all that comes back until the server closes it. */
  exchange(text: string): Promise<string>;
}

/** Returns a site whose requests and responses the trace shows. */
export function tracedSite(port: number, app: App, trace: Trace): Site {
  trace.note(`an application listens on port ${port}:`);
  for (const limiter of app.limiters) trace.note(`  every request: ${describeLimiter(limiter)}`);
  for (const { method, path, limiters } of app.routes)
    trace.note(
      `  ${method.toUpperCase()} ${app.mount}${path}: ${limiters.map(describeLimiter).join(", then ") || "no limiter of its own"}`,
    );
  const open = (sent: Sent = {}): Underway => {
    const underway = send(port, sent);
    const reply = Promise.resolve(trace.call(`${port} ${describeRequest(sent)}`, () => underway.reply, describeReply));
    // The caller may not await the reply of a request that it aborts.
    reply.catch(() => {});
    return { ...underway, reply };
  };
  return {
    port,
    open,
    get: (path = "/", headers = {}) => open({ path, headers }).reply,
    request: (sent) => open(sent).reply,
    exchange: async (text) => trace.call(`${port} ${short(text)}`, () => exchange(port, text), short),
  };
}

/** Shows the options that a person would write; of an object with a class, only the class. */
function describeLimiter({ call, options, onLimited }: Limiter): string {
  const shown = (Object.entries(options) as [keyof LimiterOptions, unknown][])
    .filter(([name]) => name !== "backend")
    .map(([name, value]) => `${name}: ${describeOption(value)}`);
  if (onLimited !== undefined) shown.push("onLimited: [Function]");
  return `${call}({ ${shown.join(", ")} })`;
}

function describeOption(value: unknown): string {
  const { name = "Object" } = (Object(value) as object).constructor ?? {};
  const isInstance = typeof value === "object" && value !== null && name !== "Object" && name !== "Array";
  return isInstance ? `[${name}]` : inspect(value, { depth: 2, breakLength: Number.POSITIVE_INFINITY });
}

function describeRequest({ method = "GET", path = "/", headers = {} }: Sent): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${short(String(value))}`);
  return [`${method} ${path.length > 80 ? `${path.slice(0, 80)}...` : path}`, ...fields].join(", ");
}

function describeReply({ status, reason, fields, body }: Reply): string {
  const shown = fields.filter(([name]) => /ratelimit|retry-after|content-type|cache-control|access-control/.test(name));
  return [`${status} ${reason}`, ...shown.map((field) => field.join(": ")), `body ${short(body)}`].join(", ");
}

function short(text: string): string {
  return text.length <= 160 ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, 160))}... (${text.length} characters)`;
}
