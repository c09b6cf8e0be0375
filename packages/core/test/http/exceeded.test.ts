import { RateLimitExceeded, RateLimiter } from "@ratelimit/core";
import { answerExceeded } from "@ratelimit/core/adapter";
import type { HeaderMode } from "@ratelimit/core/http";
import { expect, test } from "vitest";
import { tableBackend } from "../support/backends.ts";
import { createGuard, type Guard, type Outcome, RecordedExchange } from "./recorded-exchange.ts";

const http = { method: "GET", url: "/", ip: "1.2.3.4", socketAddress: "1.2.3.4", header: () => undefined };

/** A guard that has already taken its only token. */
async function exhausted(
  name: string,
  headers: HeaderMode,
  onLimited?: (result: Outcome["kind"] | object) => void,
): Promise<Guard<object>> {
  const limiter = new RateLimiter({ name, rate: 1, period: 60, backend: tableBackend() });
  const guard = createGuard<object>({ limiter, headers, ...(onLimited && { onLimited }) }, () => http);
  await guard({});
  return guard;
}

/** Sends a request through guards whose `onLimited` throws the refusal, and answers that as an error handler does. */
async function answered(...guards: readonly Guard<object>[]): Promise<Outcome | undefined> {
  const req = {};
  for (const guard of guards)
    try {
      await guard(req);
    } catch (error) {
      const exchange = new RecordedExchange(http);
      expect(answerExceeded(error, req, exchange)).toBe(true);
      return exchange.outcome;
    }
  return undefined;
}

function throwing(result: unknown): never {
  throw new RateLimitExceeded(result as ConstructorParameters<typeof RateLimitExceeded>[0]);
}

test("a refusal that onLimited throws as RateLimitExceeded is answered as if it had not thrown", async () => {
  for (const mode of ["legacy", "draft-6", "draft-7", "draft-8", "none"] as const) {
    const silent = (await (await exhausted("api", mode))({})) as Outcome & { kind: "refuse" };
    const thrown = (await answered(await exhausted("api", mode, throwing))) as typeof silent;
    expect({ mode, ...thrown, result: undefined }).toEqual({ mode, ...silent, result: undefined });
  }
});

test("such a refusal shows the request's other limits once, and the refusing one by its name", async () => {
  const site = createGuard<object>(
    { limiter: new RateLimiter({ name: "site", rate: 9, period: 9, backend: tableBackend() }), headers: "draft-8" },
    () => http,
  );
  const outcome = (await answered(site, await exhausted("api", "draft-8", throwing))) as Outcome & { kind: "refuse" };
  expect(outcome.headers).toMatchObject({
    "RateLimit-Policy": '"site";q=9;w=9, "api";q=1;w=60',
    RateLimit: '"site";r=8;t=8, "api";r=0;t=60',
  });
  expect(outcome.body).toContain('"violated-policies":["api"]');
});

test("such a refusal by a limit without headers discloses nothing beside another limit", async () => {
  const site = createGuard<object>({ limiter: new RateLimiter({ name: "site", rate: 9, backend: tableBackend() }) }, () => http);
  const outcome = (await answered(site, await exhausted("api", "none", throwing))) as Outcome & { kind: "refuse" };
  expect(outcome.headers).toMatchObject({ "X-RateLimit-Limit": "9", "X-RateLimit-Remaining": "8" });
});

test.each([{}, { result: undefined }, { result: {} }])("another library's error of the same name, with %o, is left to the app", (parts) => {
  const error = Object.assign(new Error("theirs"), { name: "RateLimitExceeded", ...parts });
  const exchange = new RecordedExchange(http);
  expect(answerExceeded(error, {}, exchange)).toBe(false);
  expect(exchange.outcome).toBeUndefined();
});
