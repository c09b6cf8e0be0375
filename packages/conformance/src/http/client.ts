import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:net";

/** A request as it is to go over the wire. */
export interface Sent {
  readonly method?: string;
  /** The request target, as it is. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** A response as it came over the wire. */
export interface Reply {
  readonly status: number;
  /** The reason phrase. */
  readonly reason: string;
  /** Names in lower case; each line of its own. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** A request under way, which its client may give up. */
export interface Underway {
  readonly reply: Promise<Reply>;
  /** Resolves when the first bytes of the response are here. */
  readonly begun: Promise<void>;
  abort(): void;
}

/** Sends a request on a connection of its own. */
export function send(port: number, { method = "GET", path = "/", headers = {} }: Sent): Underway {
  const sent = request({ host: "127.0.0.1", port, method, path, headers: { ...headers }, agent: false });
  const begun = new Promise<void>((resolve) => void sent.on("response", () => resolve()));
  const reply = new Promise<Reply>((resolve, reject) => {
    sent.on("error", reject);
    sent.on("response", (response) => {
      const { statusCode = 0, statusMessage = "", rawHeaders } = response;
      const fields = rawHeaders.flatMap((text, i) => (i % 2 === 0 ? [[text.toLowerCase(), rawHeaders[i + 1] ?? ""] as const] : []));
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status: statusCode, reason: statusMessage, fields, body }));
    });
  });
  reply.catch(() => {});
  sent.end();
  return { reply, begun, abort: () => void sent.destroy() };
}

/** Writes `text` on one connection, and gives what comes back until the server closes it. */
export function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => (answer += chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
  });
}

/** The value of a field, its lines joined so that a second one shows. */
export function field(reply: Reply | undefined, name: string): string | undefined {
  const values = fieldsOf(reply)
    .filter(([known]) => known === name)
    .map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(" and ");
}

/** What a client is told of limits: a line each, names in lower case, sorted. */
export function told(reply: Reply | undefined): string[] {
  const lines = fieldsOf(reply).filter(([name]) => /^(x-)?ratelimit|^retry-after$/.test(name));
  return lines.map(([name, value]) => `${name}: ${value}`).sort();
}

function fieldsOf(reply: Reply | undefined): Reply["fields"] {
  assert.ok(reply, "there is no such reply");
  return reply.fields;
}
