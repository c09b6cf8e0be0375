import type {} from "@ratelimit/testbed";
import { inject } from "vitest";
import { clientTests, differentialTests } from "../support/differential.ts";

const { url } = inject("redis");

// 200,200 steps.
differentialTests(url, 455);
clientTests(url);
