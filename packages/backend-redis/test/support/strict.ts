import type { DecisionOptions } from "../../src/options.ts";

/** Only Redis decides, a busy machine gives it time, and the outages that a test makes are no news. */
export const strict = { timeout: "5s", outage: "throw", onOutage: () => {} } as const satisfies DecisionOptions;

/** The same, and Redis is asked every time: for clocks and contents that the test changes behind our back. */
export const strictAsked = { ...strict, denyCache: false } as const satisfies DecisionOptions;
