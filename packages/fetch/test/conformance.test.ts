import { serve } from "./serve.ts";
import { suiteWithout } from "./suite.ts";

const noResponse = "there is no response before the handler returns one, so nothing can have been set or sent";
const noFramework = "a fetch handler that throws has no response: what the platform answers is not ours";
const asUrl = "the web's Request holds a parsed URL and cannot have every method";

/** The requirements that cannot apply to fetch handlers, by their first words, and why. */
const inapplicable: Readonly<Record<string, string>> = {
  "an onLimited that throws": noFramework,
  "a refusal drops fields": noResponse,
  "a refusal is not sent": noResponse,
  "a refusal is sent with its length": noResponse,
  "a limiter behind headers": noResponse,
  "a client that hangs up before a limiter": "the platform passes the address along with the request",
  "an error that many requests": noFramework,
  "excludePaths: matches exactly": asUrl,
  "every method counts": asUrl,
  "exposeHeaders: appends": noResponse,
  "headers that the application set": noResponse,
  "refund: with refundAborted, a response that its client cuts": "a fetch handler does not learn what the client received",
  "a handler that throws": noFramework,
  "a handler that rejects": noFramework,
  "RateLimitExceeded thrown by a handler without limits": noFramework,
  "a response sent while": noResponse,
  "a limiter behind a response": noResponse,
};

suiteWithout(inapplicable, "fetch", serve);
