/** The body of a refusal: problem details (RFC 9457) with the problem types from draft-ietf-httpapi-ratelimit-headers. */
import { retrySeconds } from "../../decision/headers.ts";
import type { LimitResult, RateLimitResult } from "../../decision/result.ts";

const registry = "https://iana.org/assignments/http-problem-types";

/**
 * Builds the body of a refusal. `names` are the header names of the limits in `result`. `detail` replaces the advice on retrying when
 * the refusal is not due to a limit.
 */
export function problemBody(result: RateLimitResult, names: readonly string[], detail?: string): { status: 429 | 503; body: string } {
  const retryAfter = retrySeconds(result.retryAfter);
  const advice =
    retryAfter === undefined
      ? "This request costs more than the limit ever allows."
      : `Retry in ${retryAfter} ${retryAfter === 1 ? "second" : "seconds"}.`;
  const { status, type, title } = kinds[result.source === "closed" ? "closed" : "refused"];
  const violated = names.filter((_, i) => (result.limits[i] as LimitResult).retryAfter > 0);
  // Needs no escaping: it contains only numbers and validated names. A template takes a tenth of the time of JSON.stringify.
  const wait = retryAfter === undefined ? "" : `,"retryAfter":${retryAfter}`;
  const policies = violated.length === 0 ? "" : `,"violated-policies":["${violated.join('","')}"]`;
  return { status, body: `{"type":"${type}","title":"${title}","status":${status},"detail":"${detail ?? advice}"${wait}${policies}}` };
}

const kinds = {
  refused: { status: 429, type: `${registry}#quota-exceeded`, title: "Quota Exceeded" },
  closed: { status: 503, type: `${registry}#temporary-reduced-capacity`, title: "Temporary Reduced Capacity" },
} as const;
