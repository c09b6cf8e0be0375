import type { Decision } from "../src/play/decision.ts";

/** What a server answered, and when the page had it. */
export interface Answer {
  readonly status: number;
  readonly statusText: string;
  /** The header fields that a server allows pages to read, except the demo's own. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** `undefined` if no limiter decided: the server failed. */
  readonly decision: Decision | undefined;
  /** The time at which the page had it: ms on the clock of the page. */
  readonly at: number;
  /** Milliseconds from the request to the answer, as the page measured it. */
  readonly roundTripMs: number;
}

const decisionHeader = "demo-decision";

/** Sends a request. Rejects if the server does not answer. */
export async function ask(url: string): Promise<Answer> {
  const start = performance.now();
  const response = await fetch(url, { cache: "no-store", credentials: "omit" });
  const at = performance.now();
  await response.arrayBuffer(); // frees the connection for the next request
  const decision = response.headers.get(decisionHeader);
  return {
    status: response.status,
    statusText: response.statusText,
    fields: [...response.headers].filter(([name]) => name !== decisionHeader),
    decision: decision === null ? undefined : (JSON.parse(decision) as Decision),
    at,
    roundTripMs: at - start,
  };
}
