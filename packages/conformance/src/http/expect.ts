import assert from "node:assert/strict";
import { STATUS_CODES } from "node:http";
import { field, limitFields, type Reply } from "./client.ts";

/** Asserts that the reply has exactly these rate limit headers, each once, in any order and with names in any case. */
export function assertLimitFields(reply: Reply | undefined, lines: readonly string[], when: string = ""): void {
  const expected = lines.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())).sort();
  assert.deepEqual(
    limitFields(reply),
    expected,
    `${when} got\n  ${limitFields(reply).join("\n  ")}\ninstead of\n  ${expected.join("\n  ")}`,
  );
}

/** The members of problem details that differ between refusals. */
export interface Problem {
  readonly kind?: keyof typeof kinds;
  readonly detail: string;
  readonly retryAfter?: number;
  readonly violated?: readonly string[];
}

const kinds = {
  limited: [429, "https://iana.org/assignments/http-problem-types#quota-exceeded", "Quota Exceeded"],
  closed: [503, "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity", "Temporary Reduced Capacity"],
  impossible: [403, "urn:ratelimit:problem:impossible", "Never Admitted"],
  denied: [403, "urn:ratelimit:problem:denied", "Address Denied"],
  anonymous: [401, "urn:ratelimit:problem:anonymous", "Client Not Identified"],
} as const;

/** Asserts that the reply is the refusal with this problem, byte for byte: status, type, caching, length and body. */
export function assertRefused(reply: Reply | undefined, { kind = "limited", detail, retryAfter, violated }: Problem): void {
  const [status, type, title] = kinds[kind];
  const members = [
    `"type":"${type}","title":"${title}","status":${status},"detail":"${detail}"`,
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
