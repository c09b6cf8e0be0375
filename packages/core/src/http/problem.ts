/** The body of a refusal: problem details (RFC 9457), with the problem types of draft-ietf-httpapi-ratelimit-headers. */
import { retrySeconds } from "../headers.ts";
import type { LimitResult, RateLimitResult } from "../result.ts";

const registry = "https://iana.org/assignments/http-problem-types";

/**
 * `names`: what the headers call the limits of `result`. `detail` says what no wait would help, where the limits cannot say it
 * themselves.
 */
export function problemBody(result: RateLimitResult, names: readonly string[], detail?: string): { status: 429 | 503; body: string } {
  const retryAfter = retrySeconds(result.retryAfter);
  const advice =
    retryAfter === undefined
      ? "This request costs more than the limit ever allows."
      : `Retry in ${retryAfter} ${retryAfter === 1 ? "second" : "seconds"}.`;
  const [status, type, title] =
    result.source === "closed"
      ? ([503, "temporary-reduced-capacity", "Temporary Reduced Capacity"] as const)
      : ([429, "quota-exceeded", "Quota Exceeded"] as const);
  const violated = names.filter((_, i) => (result.limits[i] as LimitResult).retryAfter > 0);
  const body = {
    type: `${registry}#${type}`,
    title,
    status,
    detail: detail ?? advice,
    ...(retryAfter !== undefined && { retryAfter }),
    ...(violated.length > 0 && { "violated-policies": violated }),
  };
  return { status, body: JSON.stringify(body) };
}
