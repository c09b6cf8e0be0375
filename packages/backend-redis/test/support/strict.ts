import type { DecisionOptions } from "../../src/options.ts";

/** Only Redis decides, it has time to answer on a busy machine, and outages are not reported. */
export const strict = { timeout: "5s", outage: "throw", onOutage: () => {} } as const satisfies DecisionOptions;

/** The same, but every call asks Redis, because the test changes the clock or the contents without the backend's knowledge. */
export const strictAsked = { ...strict, denyCache: false } as const satisfies DecisionOptions;
