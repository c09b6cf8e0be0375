import { defaultServerConditions } from "vite";

/**
 * Where the name of a package leads in a test: to its source, so that a change needs no build to be seen;
 * with TEST_SHIPPED to what users get, which must have been built before.
 */
export const conditions: string[] = [
  ...(process.env["TEST_SHIPPED"] === undefined ? ["@ratelimit/source"] : []),
  ...defaultServerConditions,
];
