/**
 * What stands in for the options of other rate limiters: express-rate-limit, rate-limiter-flexible, @fastify/rate-limit, koa-ratelimit
 * and @nestjs/throttler. A row holds their names, our option, and details in which `$` is the name that was written. It only applies where
 * our option exists; a row without one applies everywhere.
 */
const rows: readonly (readonly [names: string, option: string, details?: string])[] = [
  ["windowMs timeWindow ttl", "period", ' (`$: 60_000` is `period: "1m"`)'],
  ["duration", "period", ' with its unit (`period: "1m"`)'],
  ["max limit points", "rate", " (`$: 100` is `rate: 100`)"],
  ["throttlers", "limits"],
  ["blockDuration", "block", ' with its unit (`block: "10m"`)'],
  ["ban blockOnConsumed continueExceeding exponentialBackoff", "block", ' (`"10m"` is how long a refused key stays refused)'],
  ["keyGenerator id getTracker generateKey", "key", " (`key: (req) => …`)"],
  ["keyGenerator id getTracker generateKey", "user", " (`user: (req) => …`)"],
  ["groupId", "limiter", ": routes with the same one share a budget"],
  ["identifier", "name"],
  ["storeClient redis db", "client"],
  ["store storage storeClient redis db driver", "backend", " (`new RedisBackend({ client })`), or nothing for memory"],
  ["nameSpace namespace", "keyPrefix"],
  ["cache", "maxKeys"],
  ["cache", "backend", " (`new MemoryBackend({ maxKeys })`)"],
  ["standardHeaders legacyHeaders enableDraftSpec addHeaders", "headers", ' (`"legacy"`, `"draft-8"`, `"none"` or another mode)'],
  ["addHeadersOnExceeding setHeaders disableHeader", "headers", ' (`"none"` sends none)'],
  ["skipSuccessfulRequests", "refund", " (`refund: (req, status) => status < 400`)"],
  ["skipFailedRequests", "refund", " (`refund: (req, status) => status >= 400`)"],
  ["requestWasSuccessful", "refund", " (`refund: (req, status) => …`)"],
  ["handler message statusCode status errorMessage", "onLimited", ", which may answer (`onLimited: (result, req) => …`)"],
  ["errorResponseBuilder throw retryAfter", "onLimited", ", which may answer or throw"],
  ["onExceeded onBanReach onLimitReached", "onLimited", ", which may just observe"],
  ["allowList whitelist whiteList isWhiteListed", "allow", " for addresses, or `skip` for a function"],
  ["blacklist blackList isBlackListed", "deny", " for addresses"],
  ["skipIf ignoreUserAgents", "skip", " (`skip: (req) => …`)"],
  ["ipv6Subnet ipv6SubnetPrefix", "ipv6Prefix"],
  ["passOnStoreError skipOnError", "outage", ' (`outage: "open"`)'],
  ["insuranceLimiter", "outage", ' (`outage: "local"`, the default)'],
  ["timeoutMs", "timeout", ' (`$: 100` is `timeout: "100ms"`)'],
  ["inMemoryBlockOnConsumed inMemoryBlockDuration", "denyCache"],
  ["passOnStoreError skipOnError insuranceLimiter", "", "write `outage` in the options of RedisBackend"],
  ["timeoutMs", "", "write `timeout` in the options of RedisBackend"],
  ["inMemoryBlockOnConsumed inMemoryBlockDuration", "", "leave it out, because RedisBackend remembers refusals"],
  ["execEvenly execEvenlyMinDelayMs maxQueueSize", "", "call `limiter.wait(key)` instead"],
  ["onExceeding", "", "subscribe to the channel `ratelimit:decision`"],
  ["global", "", "leave it out; without a policy, only routes with their own are limited"],
  ["requestPropertyName", "", "leave it out; the decision is the request's `rateLimit`"],
  ["validate logger", "", "leave it out; what looks wrong is a process warning"],
];

/** Says what to write instead of an option that another rate limiter has, if `known` has an equivalent. */
export function peerOptionHint(name: string, known: readonly string[]): string | undefined {
  const row = rows.find(([names, option]) => names.split(" ").includes(name) && (option === "" || known.includes(option)));
  if (row === undefined) return undefined;
  const [, option, details = ""] = row;
  return `${option === "" ? "" : `write \`${option}\``}${details.replace("$", name)}`;
}
