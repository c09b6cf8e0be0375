export { exposedHeaders, type HeaderMode, rateLimitHeaders } from "./decision/headers.ts";
export type { LimitByApiKeyOptions, LimitByUserOptions, RateLimitOptions } from "./http/guard/options.ts";
export { clientIp, type RequestHeaders, type Trust } from "./http/request/client-ip.ts";
export type { Anonymous } from "./http/request/identity.ts";
export type { RequestRateLimit } from "./http/response/decisions.ts";
