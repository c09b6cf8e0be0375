import { httpSuite } from "@ratelimit/conformance";
import { test } from "vitest";
import { serve } from "./serve.ts";

httpSuite(test, serve);
