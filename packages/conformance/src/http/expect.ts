import assert from "node:assert/strict";
import { STATUS_CODES } from "node:http";
import { field, type Reply, told } from "./client.ts";

/** Asserts that the reply has exactly these rate limit headers, each once, in any order and with names in any case. */
export function assertTold(reply: Reply | undefined, lines: readonly string[], when: string = ""): void {
  const expected = lines.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())).sort();
  assert.deepEqual(told(reply), expected, `${when} got\n  ${told(reply).join("\n  ")}\ninstead of\n  ${expected.join("\n  ")}`);
}

/** The members of problem details that differ between refusals. */
export interface Problem {
  readonly status?: 429 | 503;
  readonly detail: string;
  readonly retryAfter?: number;
  readonly violated?: readonly string[];
}

/** Asserts that the reply is the refusal with this problem, byte for byte: status, type, caching, length and body. */
export function assertRefused(reply: Reply | undefined, { status = 429, detail, retryAfter, violated }: Problem): void {
  const [type, title] =
    status === 429 ? ["quota-exceeded", "Quota Exceeded"] : ["temporary-reduced-capacity", "Temporary Reduced Capacity"];
  const members = [
    `"type":"https://iana.org/assignments/http-problem-types#${type}","title":"${title}","status":${status},"detail":"${detail}"`,
    ...(retryAfter === undefined ? [] : [`"retryAfter":${retryAfter}`]),
    ...(violated === undefined ? [] : [`"violated-policies":[${violated.map((name) => `"${name}"`).join(",")}]`]),
  ];
  const body = `{${members.join(",")}}`;
  assert.equal(reply?.status, status);
  assert.equal(reply?.reason, STATUS_CODES[status]);
  assert.equal(reply?.body, body);
  assert.equal(field(reply, "content-type"), "application/problem+json");
  assert.equal(field(reply, "cache-control"), "no-store");
  assert.equal(field(reply, "content-length"), String(body.length));
}

/** Asserts that the reply is a 429 by the given limits. */
export function assertQuotaExceeded(reply: Reply | undefined, retryAfter: number = 1, violated: readonly string[] = ["default"]): void {
  assertRefused(reply, { detail: retryIn(retryAfter), retryAfter, violated });
}

export function retryIn(seconds: number): string {
  return `Retry in ${seconds} ${seconds === 1 ? "second" : "seconds"}.`;
}
