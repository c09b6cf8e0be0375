import {
  type Backend,
  defineConfig,
  definePolicy,
  ManualClock,
  type PolicyOptions,
  RateLimiter,
  type RateLimiterOptions,
} from "@ratelimit/core";
import { describe, expect, test } from "vitest";
import { LateBackend, tableBackend } from "../support/backends.ts";
import { caught } from "../support/caught.ts";

const backend = tableBackend();

describe("invalid options", () => {
  test.each<[string, unknown, string, string]>([
    ["no options", undefined, "INVALID_OPTION", "Expected `options` to be an object of options, got undefined"],
    ["null", null, "INVALID_OPTION", "Expected `options` to be an object of options, got null"],
    ["an array", [], "INVALID_OPTION", "Expected `options` to be an object of options"],
    ["a string", "100/min", "INVALID_OPTION", 'Expected `options` to be an object of options, got "100/min"'],
    ["no policy", { backend }, "INVALID_POLICY", "Expected `rate` to be a positive integer, got undefined: write rate: 100"],
    ["a bad rate", { rate: "100", backend }, "INVALID_POLICY", 'Expected `rate` to be a positive integer, got "100"'],
    ["a bad limit", { limits: [{ rate: -1 }], backend }, "INVALID_POLICY", "Expected `limits[0].rate` to be a positive integer, got -1"],
    ["a rate beside limits", { limits: [{ rate: 1 }], rate: 1, backend }, "INVALID_POLICY", "Expected `rate` to be absent beside `limits`"],
    ["no backend", { rate: 1 }, "INVALID_OPTION", "Expected `backend` to be given, got undefined: write backend: new MemoryBackend()"],
    [
      "a backend of null",
      { rate: 1, backend: null },
      "INVALID_OPTION",
      "got null: it has no take, no adjust, no block, no reset, no close;",
    ],
    [
      "a class instead of a backend",
      { rate: 1, backend: LateBackend },
      "INVALID_OPTION",
      "got a function: it has no take, no adjust, no block, no reset, no close;",
    ],
    [
      "a backend without reset",
      { rate: 1, backend: { take() {}, adjust() {}, block() {}, close() {} } },
      "INVALID_OPTION",
      "got an object: it has no reset;",
    ],
    ["a name that is not a string", { rate: 1, backend, name: 5 }, "INVALID_OPTION", "Expected `name` to be a string, got 5"],
    [
      "a prefix that is not a string",
      { rate: 1, backend, keyPrefix: null },
      "INVALID_OPTION",
      "Expected `keyPrefix` to be a string, got null",
    ],
    ["a misspelt option", { rate: 1, brust: 5, backend }, "INVALID_OPTION", "Unknown option `brust`: did you mean `burst`?"],
    [
      "another misspelt option",
      { rate: 1, backnd: backend, backend },
      "INVALID_OPTION",
      "Unknown option `backnd`: did you mean `backend`?",
    ],
    [
      "a __proto__ from JSON",
      { ...JSON.parse('{"rate":1,"__proto__":{"burst":9}}'), backend },
      "INVALID_OPTION",
      "Unknown option `__proto__`",
    ],
    [
      "a config and a policy",
      { config: defineConfig(), rate: 1, backend },
      "INVALID_OPTION",
      "Expected one policy, got `config` and `rate`: leave one out, or combine them with defineConfig",
    ],
    [
      "a config without a backend",
      { config: defineConfig({ redisUrl: "redis://localhost" }) },
      "INVALID_OPTION",
      "Expected `backend` to be given",
    ],
    [
      "a config of the wrong type",
      { config: { rate: 100 }, backend },
      "INVALID_OPTION",
      "Expected `config` to be what defineConfig or configFromEnv returned",
    ],
    [
      "a config of null",
      { config: null, backend },
      "INVALID_OPTION",
      "Expected `config` to be what defineConfig or configFromEnv returned, got null",
    ],
    [
      "a forged config",
      { config: { policy: { limits: [{ rate: 1 }] } }, backend },
      "INVALID_OPTION",
      "Expected `config` to be what defineConfig",
    ],
  ])("%s", (_, options, code, message) => {
    const error = caught(() => new RateLimiter(options as RateLimiterOptions));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
  });

  test("are all reported at once", () => {
    const { message } = caught(() => new RateLimiter({ rate: -1, period: "x", brust: 1, name: 5, backend: {} } as never));
    const sentences = message.split("\n  - ");
    expect(sentences[0]).toBe("5 problems:");
    for (const option of ["rate", "period", "brust", "name", "backend"])
      expect(sentences.filter((sentence) => sentence.includes(` \`${option}\``))).toHaveLength(1);
  });

  test("do not claim a name: a limiter that failed leaves nothing behind", () => {
    const backend = tableBackend();
    caught(() => new RateLimiter({ rate: 1, backend, nme: "a" } as never));
    expect(new RateLimiter({ rate: 2, backend }).policy.limits[0].rate).toBe(2);
  });
});

describe("names", () => {
  test.each<[object, string, string[]]>([
    [{ rate: 1 }, "default", ["default"]],
    [{ rate: 1, name: "api" }, "api", ["api"]],
    [{ rate: 1, name: "GET /x" }, "GET /x", ["default"]],
    [{ rate: 1, name: "" }, "", ["default"]],
    [{ limits: [{ rate: 1, name: "a" }] }, "default", ["a"]],
    [
      {
        limits: [
          { rate: 1, name: "a" },
          { rate: 2, name: "b" },
        ],
      },
      "default",
      ["a", "b"],
    ],
    [
      {
        limits: [
          { rate: 1, name: "a" },
          { rate: 2, name: "b" },
        ],
        name: "api",
      },
      "api",
      ["a", "b"],
    ],
    [{ config: defineConfig({ name: "api" }) }, "api", ["api"]],
    [{ config: defineConfig(), name: "other" }, "other", ["default"]],
  ])("%j creates the limiter %j", (options, name, limits) => {
    const limiter = new RateLimiter({ ...options, backend: tableBackend() } as RateLimiterOptions);
    expect([limiter.name, limiter.policy.limits.map((limit) => limit.name)]).toEqual([name, limits]);
  });

  test.each<[object, string]>([
    [{ rate: 1 }, "ratelimit:default:"],
    [{ rate: 1, name: "GET /x:{y}%" }, "ratelimit:GET%20/x%3A%7By%7D%25:"],
    [{ rate: 1, keyPrefix: "app:" }, "app:default:"],
    [{ rate: 1, keyPrefix: "" }, "default:"],
    [{ config: defineConfig({ keyPrefix: "cfg:" }) }, "cfg:default:"],
    [{ config: defineConfig({ keyPrefix: "cfg:" }), keyPrefix: "own:" }, "own:default:"],
  ])("%j keeps its buckets under %j", async (options, prefix) => {
    const asked: string[] = [];
    const backend: Backend = Object.assign(new LateBackend(), {
      reset: async (scope: { prefix: string }) => {
        asked.push(scope.prefix);
      },
    });
    await new RateLimiter({ ...options, backend } as RateLimiterOptions).reset("key");
    expect(asked).toEqual([prefix]);
  });
});

test.each<[string, object[]]>([
  ["a second limit is added", [{ name: "day" }, { name: "week", period: "7d" }]],
  ["its only limit gets another name", [{ name: "daily" }]],
])("a key refused by an unnamed limiter is still refused when %s", async (_, limits) => {
  const policies: ((options: PolicyOptions) => object)[] = [
    (options) => options,
    (options) => ({ config: { ...defineConfig(), policy: definePolicy(options) } }),
  ];
  for (const policyOf of policies) {
    const backend = tableBackend();
    const limiterOf = (...limits: object[]): RateLimiter => {
      const options = { limits: limits.map((limit) => ({ rate: 10, period: "1d", ...limit })) } as unknown as PolicyOptions;
      return new RateLimiter({ ...policyOf(options), backend } as RateLimiterOptions);
    };
    const before = limiterOf({ name: "day" });
    await before.check("ada", { cost: 10 });
    await before.close();
    expect((await limiterOf(...limits).check("ada")).allowed).toBe(false);
  }
});

describe("two limiters with the same name on one backend", () => {
  test("share their buckets if their policies are equal", async () => {
    const backend = tableBackend();
    const [one, other] = [new RateLimiter({ rate: 3, backend }), new RateLimiter({ rate: 3, period: "1m", backend })];
    await one.check("key", { cost: 2 });
    expect((await other.check("key")).remaining).toBe(0);
  });

  test("are separate if their keyPrefixes differ, whatever their policies", async () => {
    const backend = tableBackend();
    const [one, other] = [new RateLimiter({ rate: 3, backend }), new RateLimiter({ rate: 4, keyPrefix: "other:", backend })];
    await one.check("key", { cost: 2 });
    expect((await other.check("key")).remaining).toBe(3);
  });

  test.each<[object]>([
    [{ rate: 4 }],
    [{ rate: 3, burst: 4 }],
    [{ rate: 3, period: 61 }],
    [{ limits: [{ rate: 3, name: "default-2" }], name: "default" }],
  ])("are rejected if the second policy is %j", (options) => {
    const backend = tableBackend();
    new RateLimiter({ rate: 3, backend });
    const { code, message } = caught(() => new RateLimiter({ ...options, backend } as RateLimiterOptions));
    expect([code, message]).toEqual([
      "INVALID_OPTION",
      expect.stringContaining('Expected `name` to be unique among the limiters of a backend, got "default"'),
    ]);
  });

  test("do not conflict if the name, prefix or backend differs", () => {
    const backend = tableBackend();
    new RateLimiter({ rate: 3, backend });
    for (const options of [{ name: "b" }, { keyPrefix: "b:" }, { backend: tableBackend() }])
      expect(() => new RateLimiter({ rate: 4, backend, ...options })).not.toThrow();
  });

  test("may be replaced with a different policy once both are closed", async () => {
    const backend = tableBackend();
    const limiters = [new RateLimiter({ rate: 3, backend }), new RateLimiter({ rate: 3, backend })];
    for (const limiter of limiters) {
      expect(() => new RateLimiter({ rate: 4, backend })).toThrow("unique");
      await limiter.close();
      await limiter.close();
    }
    expect(() => new RateLimiter({ rate: 4, backend })).not.toThrow();
  });
});

test("options may be frozen, and later changes to them have no effect", () => {
  const options = { rate: 2, backend: tableBackend(new ManualClock()) };
  const limiter = new RateLimiter(options);
  options.rate = 100;
  expect(limiter.policy.limits[0].rate).toBe(2);
  expect(new RateLimiter(Object.freeze({ rate: 2, backend: tableBackend() })).policy.limits[0].burst).toBe(2);
});
