import { definePolicy, RateLimiter } from "@ratelimit/core";
import { checkOptions, type Rule, type Rules } from "@ratelimit/core/adapter";
import { describe, expect, test } from "vitest";
import { guardRules } from "../src/http/guard/options.ts";
import { tableBackend } from "./support/backends.ts";
import { caught } from "./support/caught.ts";

const any: Rule = { expects: "anything", accepts: () => true };

/** The hints for the options of other rate limiters, by the rules that the caller's options are checked against. */
const hints: Readonly<Record<string, { rules: Rules; hints: Readonly<Record<string, string>> }>> = {
  "a middleware": {
    rules: guardRules.plain,
    hints: {
      windowMs: 'write `period` (`windowMs: 60_000` is `period: "1m"`)',
      timeWindow: 'write `period` (`timeWindow: 60_000` is `period: "1m"`)',
      ttl: 'write `period` (`ttl: 60_000` is `period: "1m"`)',
      duration: 'write `period` with its unit (`period: "1m"`)',
      max: "write `rate` (`max: 100` is `rate: 100`)",
      limit: "write `rate` (`limit: 100` is `rate: 100`)",
      points: "write `rate` (`points: 100` is `rate: 100`)",
      throttlers: "write `limits`",
      blockDuration: 'write `block` with its unit (`block: "10m"`)',
      ban: 'write `block` (`"10m"` is how long a refused key stays refused)',
      blockOnConsumed: 'write `block` (`"10m"` is how long a refused key stays refused)',
      continueExceeding: 'write `block` (`"10m"` is how long a refused key stays refused)',
      exponentialBackoff: 'write `block` (`"10m"` is how long a refused key stays refused)',
      keyGenerator: "write `key` (`key: (req) => …`)",
      id: "write `key` (`key: (req) => …`)",
      getTracker: "write `key` (`key: (req) => …`)",
      generateKey: "write `key` (`key: (req) => …`)",
      groupId: "write `limiter`: routes with the same one share a budget",
      identifier: "write `name`",
      store: "write `backend` (`new RedisBackend({ client })`), or nothing for memory",
      storage: "write `backend` (`new RedisBackend({ client })`), or nothing for memory",
      storeClient: "write `backend` (`new RedisBackend({ client })`), or nothing for memory",
      redis: "write `backend` (`new RedisBackend({ client })`), or nothing for memory",
      db: "write `backend` (`new RedisBackend({ client })`), or nothing for memory",
      driver: "write `backend` (`new RedisBackend({ client })`), or nothing for memory",
      nameSpace: "write `keyPrefix`",
      namespace: "write `keyPrefix`",
      cache: "write `backend` (`new MemoryBackend({ maxKeys })`)",
      standardHeaders: 'write `headers` (`"legacy"`, `"draft-8"`, `"none"` or another mode)',
      legacyHeaders: 'write `headers` (`"legacy"`, `"draft-8"`, `"none"` or another mode)',
      enableDraftSpec: 'write `headers` (`"legacy"`, `"draft-8"`, `"none"` or another mode)',
      addHeaders: 'write `headers` (`"legacy"`, `"draft-8"`, `"none"` or another mode)',
      addHeadersOnExceeding: 'write `headers` (`"none"` sends none)',
      setHeaders: 'write `headers` (`"none"` sends none)',
      disableHeader: 'write `headers` (`"none"` sends none)',
      skipSuccessfulRequests: "write `refund` (`refund: (req, status) => status < 400`)",
      skipFailedRequests: "write `refund` (`refund: (req, status) => status >= 400`)",
      requestWasSuccessful: "write `refund` (`refund: (req, status) => …`)",
      handler: "write `onLimited`, which may answer (`onLimited: (result, req) => …`)",
      message: "write `onLimited`, which may answer (`onLimited: (result, req) => …`)",
      statusCode: "write `onLimited`, which may answer (`onLimited: (result, req) => …`)",
      status: "write `onLimited`, which may answer (`onLimited: (result, req) => …`)",
      errorMessage: "write `onLimited`, which may answer (`onLimited: (result, req) => …`)",
      errorResponseBuilder: "write `onLimited`, which may answer or throw",
      throw: "write `onLimited`, which may answer or throw",
      retryAfter: "write `onLimited`, which may answer or throw",
      onExceeded: "write `onLimited`, which may just observe",
      onBanReach: "write `onLimited`, which may just observe",
      onLimitReached: "write `onLimited`, which may just observe",
      allowList: "write `allow` for addresses, or `skip` for a function",
      whitelist: "write `allow` for addresses, or `skip` for a function",
      whiteList: "write `allow` for addresses, or `skip` for a function",
      isWhiteListed: "write `allow` for addresses, or `skip` for a function",
      blacklist: "write `deny` for addresses",
      blackList: "write `deny` for addresses",
      isBlackListed: "write `deny` for addresses",
      skipIf: "write `skip` (`skip: (req) => …`)",
      ignoreUserAgents: "write `skip` (`skip: (req) => …`)",
      ipv6Subnet: "write `ipv6Prefix`",
      ipv6SubnetPrefix: "write `ipv6Prefix`",
      passOnStoreError: "write `outage` in the options of RedisBackend",
      skipOnError: "write `outage` in the options of RedisBackend",
      insuranceLimiter: "write `outage` in the options of RedisBackend",
      timeoutMs: "write `timeout` in the options of RedisBackend",
      inMemoryBlockOnConsumed: "leave it out, because RedisBackend remembers refusals",
      inMemoryBlockDuration: "leave it out, because RedisBackend remembers refusals",
      execEvenly: "call `limiter.wait(key)` instead",
      execEvenlyMinDelayMs: "call `limiter.wait(key)` instead",
      maxQueueSize: "call `limiter.wait(key)` instead",
      onExceeding: "subscribe to the channel `ratelimit:decision`",
      global: "leave it out; without a policy, only routes with their own are limited",
      requestPropertyName: "leave it out; the decision is the request's `rateLimit`",
      validate: "leave it out; what looks wrong is a process warning",
      logger: "leave it out; what looks wrong is a process warning",
    },
  },
  "a middleware by user": {
    rules: guardRules.user,
    hints: {
      keyGenerator: "write `user` (`user: (req) => …`)",
      id: "write `user` (`user: (req) => …`)",
      getTracker: "write `user` (`user: (req) => …`)",
      generateKey: "write `user` (`user: (req) => …`)",
    },
  },
  "the in-process backend": { rules: { maxKeys: any }, hints: { cache: "write `maxKeys`" } },
  "the Redis backend": {
    rules: { client: any, outage: any, timeout: any, denyCache: any },
    hints: {
      storeClient: "write `client`",
      redis: "write `client`",
      db: "write `client`",
      passOnStoreError: 'write `outage` (`outage: "open"`)',
      skipOnError: 'write `outage` (`outage: "open"`)',
      insuranceLimiter: 'write `outage` (`outage: "local"`, the default)',
      timeoutMs: 'write `timeout` (`timeoutMs: 100` is `timeout: "100ms"`)',
      inMemoryBlockOnConsumed: "write `denyCache`",
      inMemoryBlockDuration: "write `denyCache`",
    },
  },
};

describe.each(Object.entries(hints))("an option of another library, among those of %s, leads to its equivalent", (_, { rules, hints }) => {
  test.each(Object.entries(hints))("%s", (option, hint) => {
    const { code, message } = caught(() => checkOptions("options", { [option]: 1 }, rules));
    expect([code, message]).toEqual(["INVALID_OPTION", `Unknown option \`${option}\`: ${hint}`]);
  });
});

test("no hint names an option that the caller does not have", () => {
  expect(caught(() => new RateLimiter({ rate: 1, keyGenerator: () => "a", backend: tableBackend() } as never)).message).toMatch(
    /^Unknown option `keyGenerator`: known options are /,
  );
});

test("a hint for one limit among several names the option as it was written", () => {
  expect(caught(() => definePolicy({ limits: [{ name: "a", points: 5, period: "1s" }] } as never)).message).toContain(
    "Unknown option `limits[0].points`: write `rate` (`points: 100` is `rate: 100`)",
  );
});

test("an error lists the valid names once, even if several limits have an unknown option", () => {
  const limit = { name: "a", rate: 1, expiry: 5 };
  expect(caught(() => definePolicy({ limits: [limit, { ...limit, name: "b" }] })).message).toBe(
    [
      "2 problems:",
      "Unknown option `limits[0].expiry`: known options are rate, period, burst, name",
      "Unknown option `limits[1].expiry`",
    ].join("\n  - "),
  );
});
