import { fuzzSuite } from "@ratelimit/conformance/fuzz";
import { test } from "vitest";
import { serve } from "./serve.ts";

fuzzSuite(test, serve);
