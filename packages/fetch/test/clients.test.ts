import { clientSuite } from "@ratelimit/conformance/clients";
import { serve } from "./serve.ts";

clientSuite(serve);
