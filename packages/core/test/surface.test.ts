import * as core from "@ratelimit/core";
import { expect, test } from "vitest";

test("the public names of @ratelimit/core are these", () => {
  expect(Object.keys(core).sort()).toMatchInlineSnapshot(`
    [
      "BucketTable",
      "ManualClock",
      "Problems",
      "RateLimitError",
      "RateLimitExceeded",
      "RateLimiter",
      "checkOptions",
      "configFromEnv",
      "defineConfig",
      "definePolicy",
      "escapeKey",
      "redisUrlRule",
      "resilient",
      "resilientRules",
      "retryMsOf",
      "rule",
      "warnOnce",
    ]
  `);
});
