import { fuzzSuite } from "@ratelimit/conformance/fuzz";
import { serve } from "./serve.ts";

fuzzSuite(serve);
