/** The body of a refusal: problem details (RFC 9457) with the problem types from draft-ietf-httpapi-ratelimit-headers, or our own. */
import { retrySeconds } from "../../decision/headers.ts";
import type { LimitResult, RateLimitResult } from "../../decision/result.ts";

const registry = "https://iana.org/assignments/http-problem-types";

/** Why a request was refused. The last three are final: retrying the same request never helps. */
export type Refused = "limited" | "closed" | "impossible" | "denied" | "anonymous";

interface Kind {
  readonly status: 401 | 403 | 429 | 503;
  readonly type: string;
  readonly title: string;
}

const kinds: Readonly<Record<Refused, Kind>> = {
  limited: { status: 429, type: `${registry}#quota-exceeded`, title: "Quota Exceeded" },
  closed: { status: 503, type: `${registry}#temporary-reduced-capacity`, title: "Temporary Reduced Capacity" },
  impossible: { status: 403, type: "urn:ratelimit:problem:impossible", title: "Never Admitted" },
  denied: { status: 403, type: "urn:ratelimit:problem:denied", title: "Address Denied" },
  anonymous: { status: 401, type: "urn:ratelimit:problem:anonymous", title: "Client Not Identified" },
};

/** The status and the body of a refusal. */
export interface Problem {
  readonly status: Kind["status"];
  readonly body: string;
}

/** Builds the answer to a call that was refused now but may be admitted later. `names` are the header names of its limits. */
export function problemOfResult(result: RateLimitResult, names: readonly string[]): Problem {
  const seconds = retrySeconds(result.retryAfter);
  if (seconds === undefined) return finalProblem("impossible", "This request costs more than the limit ever allows.");
  const violated = names.filter((_, i) => (result.limits[i] as LimitResult).retryAfter > 0);
  const policies = violated.length === 0 ? "" : `,"violated-policies":["${violated.join('","')}"]`;
  const detail = `Retry in ${seconds} ${seconds === 1 ? "second" : "seconds"}.`;
  return problem(result.source === "closed" ? "closed" : "limited", detail, `,"retryAfter":${seconds}${policies}`);
}

/** Builds the answer to a request that must not be retried. */
export function finalProblem(refused: Refused, detail: string): Problem {
  return problem(refused, detail, "");
}

/** Needs no escaping: it contains only numbers and validated names. A template takes a tenth of the time of JSON.stringify. */
function problem(refused: Refused, detail: string, more: string): Problem {
  const { status, type, title } = kinds[refused];
  return { status, body: `{"type":"${type}","title":"${title}","status":${status},"detail":"${detail}"${more}}` };
}
