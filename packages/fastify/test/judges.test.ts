import { judgeSuite } from "@ratelimit/conformance/judges";
import { serve } from "./serve.ts";

judgeSuite(serve);
