import { httpSuite } from "@ratelimit/conformance";
import { serve } from "./serve.ts";

httpSuite(serve);
