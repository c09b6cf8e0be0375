import { startStandalone } from "@ratelimit/testbed";
import { afterAll } from "vitest";
import { differentialTests } from "../test/support/differential.ts";

const redis = await startStandalone();
afterAll(() => redis.stop());

// 1,000,120 steps.
differentialTests(redis.url, 2273);
