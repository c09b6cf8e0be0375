import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:net";

/** A request as it goes over the wire. */
export interface Sent {
  readonly method?: string;
  /** The request target, sent unchanged. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** A response as it came over the wire. */
export interface Reply {
  readonly status: number;
  /** The reason phrase of the status line. */
  readonly reason: string;
  /** One entry per header line, with the name in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** A request in flight, which its client may abort. */
export interface Underway {
  readonly reply: Promise<Reply>;
  /** Resolves when the head of the response has arrived. */
  readonly begun: Promise<void>;
  abort(): void;
}

/** Sends a request on a new connection. */
export function send(port: number, { method = "GET", path = "/", headers = {} }: Sent): Underway {
  const sent = request({ host: "127.0.0.1", port, method, path, headers: { ...headers }, agent: false });
  const begun = new Promise<void>((resolve) => void sent.on("response", () => resolve()));
  const reply = new Promise<Reply>((resolve, reject) => {
    sent.on("error", reject);
    sent.on("response", (response) => {
      const { statusCode = 0, statusMessage = "", rawHeaders } = response;
      // Jest runs tests in a realm of their own, in which Node's arrays are not equal to those of the tests.
      const fields = [...rawHeaders].flatMap((text, i) => (i % 2 === 0 ? [[text.toLowerCase(), rawHeaders[i + 1] ?? ""] as const] : []));
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

/** Writes `text` on one connection, and returns all that comes back until the server closes it. */
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

/** Returns the value of a header, with all of its lines joined so that a duplicate shows. */
export function field(reply: Reply | undefined, name: string): string | undefined {
  const values = fieldsOf(reply)
    .filter(([known]) => known === name)
    .map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(" and ");
}

/** Returns the reply's rate limit headers as sorted lines, with names in lower case. */
export function limitFields(reply: Reply | undefined): string[] {
  const lines = fieldsOf(reply).filter(([name]) => /^(x-)?ratelimit|^retry-after$/.test(name));
  return lines.map(([name, value]) => `${name}: ${value}`).sort();
}

function fieldsOf(reply: Reply | undefined): Reply["fields"] {
  assert.ok(reply, "the reply is missing");
  return reply.fields;
}
