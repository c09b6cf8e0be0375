import {
  type Backend,
  type ConfigOptions,
  configFromEnv,
  defineConfig,
  definePolicy,
  type Limit,
  type Policy,
  type PolicyOptions,
  RateLimiter,
  type RateLimiterOptions,
  resilient,
} from "@ratelimit/core";
import type { HttpRequest } from "@ratelimit/core/adapter";
import { warningsOf } from "@ratelimit/testbed/warnings";
import { describe, expect, test } from "vitest";
import { createGuard } from "../http/recorded-exchange.ts";
import { LateBackend, tableBackend } from "../support/backends.ts";
import { caught } from "../support/caught.ts";

const policy: Policy = definePolicy({
  limits: [
    { name: "second", rate: 10, period: 1 },
    { name: "hour", rate: 100, period: "1h", burst: 50 },
  ],
});

const describeRequest = (): HttpRequest => ({
  method: "GET",
  url: "/",
  ip: "1.2.3.4",
  socketAddress: "1.2.3.4",
  header: () => undefined,
});

/** Creates a middleware on a new backend, and returns what a request gets there. */
function limitsOf(options: object): unknown {
  const guard = createGuard(options, describeRequest, tableBackend);
  const verdict = guard({});
  return (verdict as { result: { limits: readonly { name: string; limit: number; burst: number }[] } }).result.limits.map(
    ({ name, limit, burst }) => [name, limit, burst],
  );
}

const limits = [
  ["second", 10, 10],
  ["hour", 100, 50],
];

describe("the result of definePolicy is accepted wherever a policy is", () => {
  test.each<[string, object]>([
    ["policy", { policy }],
    ["config", { config: defineConfig({ policy }) }],
  ])("as the `%s` of a limiter, a middleware and an update", (_, source) => {
    const limiter = new RateLimiter({ ...source, backend: tableBackend() } as RateLimiterOptions);
    expect(limiter.policy).toBe(policy);
    expect(limitsOf(source)).toEqual(limits);
    const other = new RateLimiter({ rate: 1, backend: tableBackend() });
    other.update(source as { policy: Policy });
    expect(other.policy).toBe(policy);
  });

  test.each<[string, PolicyOptions]>([
    [
      "several limits",
      {
        limits: [
          { name: "second", rate: 10, period: 1 },
          { name: "hour", rate: 100, period: "1h", burst: 50 },
        ],
      },
    ],
    ["one limit", { rate: 7, period: "10h", burst: 9 }],
    ["a block", { rate: 7, block: "90s" }],
    ["a limit that refuses everything", { rate: 0, name: "closed" }],
  ])("spread into options or passed directly: %s", async (_, options) => {
    const compiled = definePolicy(options);
    const warnings = await warningsOf(() => {
      expect(definePolicy(compiled)).toEqual(compiled);
      expect(new RateLimiter({ ...compiled, name: "api", backend: tableBackend() }).policy).toEqual(compiled);
      expect(limitsOf({ ...compiled })).toEqual(limitsOf(options));
      expect(defineConfig({ ...compiled }).policy).toEqual(compiled);
      expect(configFromEnv({ RATELIMIT_RATE: "5", RATELIMIT_BURST: "6" }, { ...compiled }).policy).toEqual(compiled);
      const limiter = new RateLimiter({ rate: 1, backend: tableBackend() });
      limiter.update(compiled);
      expect(limiter.policy).toEqual(compiled);
      expect(configFromEnv({ RATELIMIT_BLOCK: "7s" }, { ...compiled }).policy).toEqual(compiled);
      limiter.update({ ...compiled, block: "7s" });
      expect(limiter.policy).toEqual({ ...compiled, blockMs: 7000 });
    });
    expect(warnings).toEqual([]);
  });

  test("a compiled limit that is modified is compiled again", () => {
    const changed = definePolicy({ limits: [{ ...policy.limits[0], rate: 30 }, policy.limits[1] as Limit] });
    expect(changed).toEqual(
      definePolicy({
        limits: [
          { name: "second", rate: 30, period: 1, burst: 10 },
          { name: "hour", rate: 100, period: "1h", burst: 50 },
        ],
      }),
    );
  });

  test("computed fields are not listed as options in errors", () => {
    const { message } = caught(() => new RateLimiter({ rate: 5, expiry: 60, backend: tableBackend() } as never));
    expect(message).toContain(
      "known options are limits, rate, period, burst, block, lease, policy, config, backend, name, keyPrefix, replace",
    );
    expect(caught(() => definePolicy({ rate: 5, store: 1 } as never)).message).toMatch(
      /known options are rate, period, burst, name, block, lease$/,
    );
    expect(caught(() => definePolicy({ ...policy, blockMs: "1m" } as never)).message).toContain('write block: "10m"');
  });

  test("its limits keep their names, and the limiter has its own", () => {
    const limiter = new RateLimiter({ policy, name: "api", backend: tableBackend() });
    expect([limiter.name, limiter.policy]).toEqual(["api", policy]);
  });

  test.each<[string, unknown]>([
    ["an uncompiled policy", { rate: 5 }],
    ["null", null],
    ["a forged policy", { limits: [{ name: "a", rate: 5 }] }],
  ])("%s is rejected", (_, wrong) => {
    const { code, message } = caught(() => new RateLimiter({ policy: wrong, backend: tableBackend() } as never));
    expect([code, message]).toEqual([
      "INVALID_OPTION",
      expect.stringMatching(
        /^Expected `policy` to be what definePolicy returned, got (an object|null): write policy: definePolicy\(\{ rate: 100 \}\)$/,
      ),
    ]);
  });
});

describe("two policies at once are rejected, and both are named", () => {
  const config = defineConfig();
  const cases: [object, string][] = [
    [{ policy, rate: 5 }, "got `policy` and `rate`: leave all but one out"],
    [{ policy, limits: [{ rate: 5 }] }, "got `policy` and `limits`"],
    [{ policy, config }, "got `policy` and `config`"],
    [{ config, burst: 5 }, "got `config` and `burst`: leave one out, or combine them with defineConfig"],
    [{ policy, config, rate: 5 }, "got `policy` and `config` and `rate`"],
  ];
  test.each(cases)("%#: %s", (options, sentence) => {
    const backend = tableBackend();
    const limiter = new RateLimiter({ rate: 1, backend });
    const makers = [
      () => new RateLimiter({ ...options, backend } as RateLimiterOptions),
      () => limiter.update(options as { policy: Policy }),
      () => limitsOf(options),
      ...("config" in options ? [] : [() => defineConfig(options as ConfigOptions)]),
    ];
    for (const make of makers) {
      const { code, message } = caught(make);
      expect(code).toMatch(/^INVALID_(OPTION|CONFIG)$/);
      expect(message).toContain(`Expected one policy, ${sentence}`);
    }
  });
});

describe("`replace: true` takes over a name", () => {
  test("from a limiter with another policy, which switches to the new one", async () => {
    const backend = tableBackend();
    const old = new RateLimiter({ name: "api", rate: 5, period: "1h", backend });
    await old.check("key", { cost: 3 });
    const reloaded = new RateLimiter({ name: "api", rate: 5, period: "1h", burst: 20, backend, replace: true });
    expect((await reloaded.check("key")).remaining).toBe(16);
    expect(old.policy).toBe(reloaded.policy);
    expect((await old.check("key")).remaining).toBe(15);
    await old.close();
    expect(() => new RateLimiter({ name: "api", rate: 5, backend })).toThrow("with another policy");
    await reloaded.close();
    expect(new RateLimiter({ name: "api", rate: 5, backend }).policy.limits[0].rate).toBe(5);
  });

  test("for a middleware too", () => {
    const backend = tableBackend();
    const limit = (rate: number, replace?: boolean): unknown => limitsOf({ name: "api", rate, backend, replace });
    limit(5);
    expect(caught(() => limit(6)).message).toContain("take the name over with replace: true");
    expect(limit(6, true)).toEqual([["api", 6, 6]]);
  });

  test("wakes waiting calls and decides them again", async () => {
    const backend = tableBackend();
    const old = new RateLimiter({ rate: 5, period: "1h", backend });
    await old.check("key", { cost: 5 });
    const [small, large] = [old.wait("key"), old.wait("key", { cost: 5 })];
    new RateLimiter({ rate: 4, period: "1h", burst: 4, backend, replace: true });
    await expect(large).rejects.toMatchObject({ code: "EXCEEDED" });
    await old.reset("key");
    expect((await small).allowed).toBe(true);
  });

  test.each([1, "yes", null])("%j is rejected as its value", (replace) => {
    expect(caught(() => new RateLimiter({ rate: 5, backend: tableBackend(), replace } as never)).message).toMatch(
      /^Expected `replace` to be true or false, got .*: write replace: true to take the name over$/,
    );
  });
});

describe("on a shared backend, a limiter needs a name", () => {
  const shared = (): Backend => Object.assign(new LateBackend(), { inProcess: undefined });

  test("or it is rejected", () => {
    for (const make of [() => new RateLimiter({ rate: 5, backend: shared() }), () => limitsOf({ rate: 5, backend: shared() })])
      expect(caught(make)).toMatchObject({
        code: "INVALID_OPTION",
        message:
          'Expected `name` to be given for a backend shared by several processes, got undefined: write name: "api", so that every process uses the same buckets',
      });
  });

  test("which may come from a config", () => {
    const config = defineConfig({ rate: 5, name: "api" });
    expect(new RateLimiter({ config, backend: shared() }).name).toBe("api");
    expect(() => createGuard({ config, backend: shared() }, describeRequest)).not.toThrow();
  });

  test("and middlewares with that name share one budget, wherever the name comes from", () => {
    const backend = tableBackend();
    for (const options of [{ config: defineConfig({ rate: 5, name: "api" }) }, { rate: 6, name: "other" }]) {
      const remaining = [1, 2].map(() => {
        const verdict = createGuard({ ...options, backend }, describeRequest)({}) as { result: { remaining: number } };
        return verdict.result.remaining;
      });
      expect(remaining[1]).toBe((remaining[0] as number) - 1);
    }
  });

  test("but not on an in-process backend, even inside resilient()", () => {
    for (const backend of [tableBackend(), resilient(tableBackend())]) expect(new RateLimiter({ rate: 5, backend }).name).toBe("default");
  });
});

describe("options are read the same way", () => {
  const kinds: [string, <O extends object>(options: O) => O][] = [
    ["if inherited from an object", (options) => Object.create(options) as typeof options],
    [
      "if they are accessors of a class",
      (options) => {
        const accessors = Object.entries(options).map(([name, value]) => [name, { get: (): unknown => value }]);
        return Object.create(Object.defineProperties({}, Object.fromEntries(accessors) as PropertyDescriptorMap)) as typeof options;
      },
    ],
    ["next to undefined ones", (options) => ({ limits: undefined, config: undefined, policy: undefined, brust: undefined, ...options })],
  ];

  test.each(kinds)("%s", async (_, make) => {
    const limiter = new RateLimiter(make({ rate: 5, backend: tableBackend() }));
    expect(limiter.policy.limits[0].rate).toBe(5);
    expect(limiter.checkSync("key", make({ cost: 2 }))).toMatchObject({ cost: 2, remaining: 3 });
    expect(await limiter.wait("key", make({ cost: 3 }))).toMatchObject({ cost: 3, remaining: 0 });
    limiter.update(make({ rate: 6 }));
    expect(limiter.policy.limits[0].rate).toBe(6);
    expect(limitsOf(make({ rate: 7, skip: () => false }))).toEqual([["default", 7, 7]]);
    expect(definePolicy(make({ rate: 8 })).limits[0].rate).toBe(8);
    expect(defineConfig(make({ rate: 9 })).policy.limits[0].rate).toBe(9);
    expect(configFromEnv({ RATELIMIT_RATE: "1" }, make({ rate: 10 })).policy.limits[0].rate).toBe(10);
  });

  test("even if they are unknown", () => {
    const inherited = Object.create({ rate: 5, brust: 5 }) as { rate: number };
    for (const make of [() => definePolicy(inherited), () => limitsOf(inherited), () => defineConfig(inherited)])
      expect(caught(make).message).toBe("Unknown option `brust`: did you mean `burst`?");
  });

  test("but not from a polluted Object.prototype", () => {
    Object.assign(Object.prototype, { brust: 5 });
    try {
      expect(new RateLimiter({ rate: 5, backend: tableBackend() }).checkSync("key", { cost: 2 }).remaining).toBe(3);
    } finally {
      Reflect.deleteProperty(Object.prototype, "brust");
    }
  });
});
