import { defaultServerConditions } from "vite";

/**
 * Resolves the packages of this workspace in tests to their sources, so that a change takes effect without a build.
 * With TEST_SHIPPED they resolve to what users get, which must be built first.
 */
export const conditions: string[] = [
  ...(process.env["TEST_SHIPPED"] === undefined ? ["@ratelimit/source"] : []),
  ...defaultServerConditions,
];
