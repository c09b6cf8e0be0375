import { defaultServerConditions } from "vite";

/**
 * Resolves the packages of this workspace in tests to their sources, so that a change takes effect without a build.
 * With TEST_SHIPPED they resolve to what users get, which must be built first.
 *
 * Vite's `module` is left out, because Node does not know it: it leads to code for bundlers that Node cannot load (@opentelemetry/api).
 */
export const conditions: string[] = [
  ...(process.env["TEST_SHIPPED"] === undefined ? ["@ratelimit/source"] : []),
  ...defaultServerConditions.filter((condition) => condition !== "module"),
];
