import { createRequire } from "node:module";
import { RateLimitError, RateLimitExceeded, RateLimiter } from "@ratelimit/core";
import { createMiddlewares, type Limit } from "@ratelimit/core/adapter";
import { describe, expect, test, vi } from "vitest";
import { RecordedExchange } from "./http/recorded-exchange.ts";
import { tableBackend } from "./support/backends.ts";
import { caught } from "./support/caught.ts";

type Copy = typeof import("@ratelimit/core") & typeof import("@ratelimit/core/adapter");

/** Loads the package a second time: the CommonJS build if the built files are tested, or else the sources once more. */
async function secondCopy(): Promise<Copy> {
  const load = createRequire(import.meta.url);
  if (process.env["TEST_SHIPPED"] !== undefined) return { ...load("../dist/index.cjs"), ...load("../dist/adapter.cjs") } as Copy;
  vi.resetModules();
  return { ...(await import("@ratelimit/core")), ...(await import("@ratelimit/core/adapter")) };
}

const other = await secondCopy();

const refusal = { limit: 10, retryAfter: 1 };
const policy = { rate: 2, period: 60 };

test("the other copy has classes of its own", () => {
  expect(other.RateLimiter).not.toBe(RateLimiter);
  expect(other.RateLimitError).not.toBe(RateLimitError);
});

describe("an error of the other copy", () => {
  const invalid = new other.RateLimitError("INVALID_KEY", "Expected a key");
  const exceeded = new other.RateLimitExceeded(refusal);

  test("is a RateLimitError", () => {
    expect(invalid instanceof RateLimitError).toBe(true);
    expect(exceeded instanceof RateLimitError).toBe(true);
  });

  test("is a RateLimitExceeded only if it is a refusal", () => {
    expect(exceeded instanceof RateLimitExceeded).toBe(true);
    expect(invalid instanceof RateLimitExceeded).toBe(false);
  });

  test("is not an instance of a subclass that a user has written", () => {
    class Own extends RateLimitError {}
    class OwnExceeded extends RateLimitExceeded {}
    expect(invalid instanceof Own).toBe(false);
    expect(exceeded instanceof OwnExceeded).toBe(false);
    expect(new Own("INVALID_KEY", "Expected a key") instanceof Own).toBe(true);
    expect(new OwnExceeded(refusal) instanceof OwnExceeded).toBe(true);
  });
});

test.each([undefined, null, "RateLimitError", {}, new Error("no"), { name: "RateLimitError", code: "EXCEEDED" }])(
  "%o is not a RateLimitError",
  (value) => {
    expect(value instanceof RateLimitError).toBe(false);
    expect(value instanceof RateLimitExceeded).toBe(false);
  },
);

describe("limiters of two copies on one backend", () => {
  test("share the budget of their name", async () => {
    const backend = tableBackend();
    const [one, two] = [new RateLimiter({ ...policy, name: "api", backend }), new other.RateLimiter({ ...policy, name: "api", backend })];
    await one.check("key");
    await two.check("key");
    expect((await one.check("key")).allowed).toBe(false);
    expect((await two.check("key")).allowed).toBe(false);
  });

  test("may not have one name with two policies", async () => {
    const backend = tableBackend();
    const one = new RateLimiter({ ...policy, name: "api", backend });
    const error = caught(() => new other.RateLimiter({ rate: 5, period: 60, name: "api", backend }));
    expect(error).toMatchObject({ code: "INVALID_OPTION" });
    await one.close();
  });

  test("follow each other's updates", () => {
    const backend = tableBackend();
    const [one, two] = [new RateLimiter({ ...policy, name: "api", backend }), new other.RateLimiter({ ...policy, name: "api", backend })];
    one.update({ rate: 9, period: 60 });
    expect(two.policy.limits[0].rate).toBe(9);
  });
});

test("limits of two copies have budgets of their own on the backend that the process shares", async () => {
  const backend = tableBackend();
  const limitOf = (copy: Pick<Copy, "createMiddlewares">): Limit<object, []> =>
    copy
      .createMiddlewares<object, [], Limit<object, []>>({
        userOf: () => undefined,
        defaultBackend: () => backend,
        middleware: (limit) => limit,
      })
      .rateLimit({ rate: 1, period: 60 });
  for (const limit of [limitOf({ createMiddlewares }), limitOf(other)]) {
    const exchange = new RecordedExchange({
      method: "GET",
      url: "/",
      ip: "192.0.2.1",
      socketAddress: "192.0.2.1",
      header: () => undefined,
    });
    await limit.admit({}, exchange);
    expect(exchange.outcome).toMatchObject({ kind: "pass" });
  }
});
