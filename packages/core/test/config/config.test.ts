import { type ConfigOptions, configFromEnv, defineConfig } from "@ratelimit/core";
import { warningsOf } from "@ratelimit/testbed/warnings";
import { describe, expect, expectTypeOf, test } from "vitest";
import { caught } from "../support/caught.ts";

describe("defineConfig", () => {
  test("defaults to 100 tokens per 60 s, with headers", () => {
    const { policy, ...rest } = defineConfig();
    expect(policy.limits).toEqual([expect.objectContaining({ name: "default", rate: 100, period: 60, burst: 100 })]);
    expect(rest).toEqual({ keyPrefix: "ratelimit:", headers: "legacy" });
  });

  test("accepts every option and freezes the result", () => {
    const url = "redis://localhost:6379";
    const config = defineConfig({ rate: 5, period: "1m", burst: 7, name: "api", redisUrl: url, keyPrefix: "app:", includeHeaders: false });
    expect(config.policy.limits).toEqual([expect.objectContaining({ name: "api", rate: 5, period: 60, burst: 7 })]);
    expect(config).toMatchObject({ redisUrl: url, keyPrefix: "app:", headers: "none" });
    expect(Object.isFrozen(config)).toBe(true);
    expect(defineConfig({ rate: undefined, period: undefined, redisUrl: undefined, keyPrefix: undefined })).toEqual(defineConfig());
    expect(defineConfig(Object.freeze({ rate: 100 }))).toEqual(defineConfig());
  });

  test("accepts everything that can be configured", () => {
    const headers = ["legacy", "draft-8"] as const;
    const limits = [
      { name: "second", rate: 5, period: 1 },
      { name: "hour", rate: 50, period: "1h" },
    ] as const;
    const config = defineConfig({ limits, block: "1m", name: "GET /x", headers, timeout: "50ms", outage: "closed", instances: 4 });
    expect(config.policy.limits.map(({ name, rate }) => [name, rate])).toEqual([
      ["second", 5],
      ["hour", 50],
    ]);
    expect(config.policy.blockMs).toBe(60_000);
    expect(config).toMatchObject({ name: "GET /x", headers, timeout: "50ms", outage: "closed", instances: 4 });
    expect([Object.isFrozen(config.headers), config.headers]).toEqual([true, headers]);
    expect(defineConfig({ policy: config.policy }).policy).toBe(config.policy);
    for (const mode of ["draft-6", "none"] as const) expect(defineConfig({ headers: mode }).headers).toBe(mode);
    expect(defineConfig({ headers: "draft-8", includeHeaders: true }).headers).toBe("draft-8");
    expectTypeOf(defineConfig({ redisUrl: "redis://localhost" }).redisUrl).toEqualTypeOf<string>();
  });

  test.each<[unknown, string]>([
    [null, "Expected `config` to be an object of options, got null"],
    [[], "Expected `config` to be an object of options, got "],
    ...(["rate", "burst"] as const).flatMap((option) =>
      [-0, -1, Number.NaN, Number.POSITIVE_INFINITY, "100", null, 10n, true, 2 ** 53, 0.5].map((value): [unknown, string] => [
        { [option]: value },
        `Expected \`${option}\` to be a positive integer, got `,
      ]),
    ),
    [{ period: 0 }, "Expected `period` to be seconds"],
    [{ redisUrl: "" }, 'Expected `redisUrl` to be redis://[user:password@]host[:port][/database] or rediss://…, got ""'],
    [{ redisUrl: 5 }, "Expected `redisUrl` to be redis://"],
    [{ keyPrefix: 5 }, "Expected `keyPrefix` to be a string, got 5"],
    [{ keyPrefix: null }, "Expected `keyPrefix` to be a string, got null"],
    [{ includeHeaders: 1 }, "Expected `includeHeaders` to be true or false, got 1"],
    [{ includeHeaders: "no" }, 'Expected `includeHeaders` to be true or false, got "no"'],
    [{ headers: "draft-9" }, "Expected `headers` to be one of legacy, draft-6,"],
    [{ headers: [] }, "Expected `headers` to be one of"],
    [
      { headers: "draft-8", includeHeaders: false },
      'Expected `includeHeaders` to be in agreement with the header modes, got false: leave it out; headers: "none" sends none',
    ],
    [{ headers: "none", includeHeaders: true }, "Expected `includeHeaders` to be in agreement with the header modes, got true"],
    [{ timeout: 100 }, 'Expected `timeout` to be a length of time with its unit, got 100: write timeout: "100ms"'],
    [{ outage: "fail" }, 'Expected `outage` to be "local", "open", "closed" or "throw", got "fail"'],
    [{ instances: 0 }, "Expected `instances` to be a positive integer, got 0: write the number of processes that share the limits"],
    [{ rate: 5, limits: [{ rate: 1 }] }, "Expected `rate` to be absent beside `limits`"],
    [{ policy: {} }, "Expected `policy` to be what definePolicy returned"],
    [{ config: {} }, "Unknown option `config`"],
    [{ redisURL: "redis://localhost" }, "Unknown option `redisURL`: did you mean `redisUrl`?"],
    [{ limits: [] }, "Expected `limits` to be a non-empty array of limits, got []"],
    [JSON.parse('{"__proto__":{"rate":5}}'), "Unknown option `__proto__`"],
  ])("reports %o", (options, message) => {
    const error = caught(() => defineConfig(options as ConfigOptions));
    expect([error.code, error.message]).toEqual(["INVALID_CONFIG", expect.stringContaining(message)]);
  });
});

describe("configFromEnv", () => {
  test("returns the default config if nothing is set", () => {
    expect(configFromEnv({})).toEqual(defineConfig());
    expect(configFromEnv({ RATELIMIT_RATE: undefined, PATH: "/bin" })).toEqual(defineConfig());
  });

  test("reads every variable", () => {
    const env = {
      RATELIMIT_RATE: "10",
      RATELIMIT_PERIOD: "1m",
      RATELIMIT_BURST: "15",
      RATELIMIT_REDIS_URL: "rediss://:secret@redis.example:6380/1",
      RATELIMIT_KEY_PREFIX: "app:",
      RATELIMIT_INCLUDE_HEADERS: "FALSE",
      RATELIMIT_TIMEOUT: "250ms",
      RATELIMIT_OUTAGE: "open",
      RATELIMIT_INSTANCES: "4",
    };
    expect(configFromEnv(env)).toEqual(
      defineConfig({
        rate: 10,
        period: "1m",
        burst: 15,
        redisUrl: env.RATELIMIT_REDIS_URL,
        keyPrefix: "app:",
        includeHeaders: false,
        timeout: "250ms",
        outage: "open",
        instances: 4,
      }),
    );
  });

  test.each([
    ["RATELIMIT_RATE", " 100 ", { rate: 100 }],
    ["RATELIMIT_RATE", "007", { rate: 7 }],
    ["RATELIMIT_RATE", "0", { rate: 0 }],
    ["RATELIMIT_BLOCK", "10m", { block: 600 }],
    ["RATELIMIT_BLOCK", " 30 ", { block: "30s" }],
    ["RATELIMIT_RATE", "100 ", { rate: 100 }],
    ["RATELIMIT_PERIOD", "60", { period: 60 }],
    ["RATELIMIT_PERIOD", "0.25", { period: 0.25 }],
    ["RATELIMIT_PERIOD", "\t250ms\n", { period: "250ms" }],
    ["RATELIMIT_HEADERS", "draft-8", { headers: "draft-8" }],
    ["RATELIMIT_HEADERS", " legacy , draft-8", { headers: ["legacy", "draft-8"] }],
    ["RATELIMIT_HEADERS", "none", { includeHeaders: false }],
    ["RATELIMIT_INCLUDE_HEADERS", "True", { includeHeaders: true }],
    ["RATELIMIT_INCLUDE_HEADERS", "TRUE", { includeHeaders: true }],
    ["RATELIMIT_INCLUDE_HEADERS", " tRuE\t", { includeHeaders: true }],
    ["RATELIMIT_INCLUDE_HEADERS", "1", { includeHeaders: true }],
    ["RATELIMIT_INCLUDE_HEADERS", "0", { includeHeaders: false }],
    ["RATELIMIT_INCLUDE_HEADERS", "false", { includeHeaders: false }],
  ] as const)("%s=%j", (name, text, options) => {
    expect(configFromEnv({ [name]: text })).toEqual(defineConfig(options));
  });

  test("prefers overrides to variables, and ignores undefined overrides", () => {
    expect(configFromEnv({ RATELIMIT_RATE: "10", RATELIMIT_BURST: "20" }, { rate: 30, burst: undefined })).toEqual(
      defineConfig({ rate: 30, burst: 20 }),
    );
  });

  test.each<[Record<string, string>, ConfigOptions]>([
    [{ RATELIMIT_RATE: "10", RATELIMIT_PERIOD: "1s", RATELIMIT_BURST: "20" }, { limits: [{ name: "hour", rate: 5, period: "1h" }] }],
    [{ RATELIMIT_RATE: "10" }, { policy: defineConfig({ rate: 7 }).policy }],
    [{ RATELIMIT_INCLUDE_HEADERS: "false" }, { headers: "draft-8" }],
    [{ RATELIMIT_HEADERS: "draft-8" }, { includeHeaders: false }],
  ])("replaces variables %j that conflict with the overrides %j", (env, overrides) => {
    expect(configFromEnv(env, overrides)).toEqual(defineConfig(overrides));
  });

  test("names the variable when two contradict each other", () => {
    const env = { RATELIMIT_HEADERS: "draft-8", RATELIMIT_INCLUDE_HEADERS: "false" };
    expect(caught(() => configFromEnv(env)).message).toMatch(/^Expected `RATELIMIT_INCLUDE_HEADERS` to be in agreement with/);
  });

  test("reads process.env by default", () => {
    process.env["RATELIMIT_RATE"] = "77";
    try {
      expect(configFromEnv().policy.limits[0].rate).toBe(77);
    } finally {
      delete process.env["RATELIMIT_RATE"];
    }
  });
});

const badIntegers = [
  "",
  " ",
  "abc",
  "100abc",
  "1,000",
  "1_000",
  "0x10",
  "1e3",
  "１００",
  "Infinity",
  "NaN",
  "-5",
  "+5",
  "0",
  "1.5",
  "1 0",
  "null",
];
const bad = {
  RATELIMIT_RATE: [...badIntegers.filter((text) => text !== "0"), "-0", "9007199254740992"],
  RATELIMIT_BURST: badIntegers,
  RATELIMIT_PERIOD: [
    "",
    " ",
    "abc",
    "0",
    "-1",
    "1 m",
    "1e3",
    "1min",
    "1M",
    "0.0005",
    "1,5",
    "Infinity",
    "１m",
    "100abc",
    "1,000",
    "0x10",
    "１００",
    "-5",
    "NaN",
    "1m1s",
  ],
  RATELIMIT_REDIS_URL: [
    "",
    " ",
    "localhost",
    "localhost:6379",
    "http://localhost:6379",
    "redis://",
    "redis://host/abc",
    "abc",
    "100",
    "Infinity",
  ],
  RATELIMIT_BLOCK: ["", "0", "-1", "10 m", "1e3", "for ever", "Infinity"],
  RATELIMIT_KEY_PREFIX: ["", "  "],
  RATELIMIT_HEADERS: ["", "draft", "draft-8,", "draft-7,draft-8", "legacy draft-8", "true", "__proto__"],
  RATELIMIT_TIMEOUT: ["", "100", "0ms", "1e3ms", "-5ms", "100 ms", "fast"],
  RATELIMIT_OUTAGE: ["", "Local", "fail", "true", '"local"'],
  RATELIMIT_INSTANCES: badIntegers,
  RATELIMIT_INCLUDE_HEADERS: ["", "yes", "no", "on", "2", "truee", "t", "01", "1.0", "-1", "１", "__proto__", "constructor", "null"],
};

describe("an error names the variable that has the bad value", () => {
  for (const [name, texts] of Object.entries(bad))
    test.each(texts)(`${name}=%j`, (text) => {
      const { code, message } = caught(() => configFromEnv({ [name]: text }));
      expect(code).toBe("INVALID_CONFIG");
      expect(message).toContain(`Expected \`${name}\` to be `);
      // A numeric string is validated as a number, so the message may show it without quotes.
      expect([`got ${JSON.stringify(text)}`, `got ${text}:`].some((shown) => message.includes(shown))).toBe(true);
    });

  test("for all bad variables in one error", () => {
    const env = Object.fromEntries(Object.entries(bad).map(([name, texts]) => [name, texts[2] ?? texts[0]]));
    const { message } = caught(() => configFromEnv(env, { rat: 5 } as ConfigOptions));
    for (const name of Object.keys(bad)) expect(message).toContain(`\n  - Expected \`${name}\` to be `);
    expect(message).toContain("\n  - Unknown option `rat`: did you mean `rate`?");
    expect(message).toMatch(/^12 problems:/);
  });

  test("but an override by its option name", () => {
    expect(caught(() => configFromEnv({ RATELIMIT_RATE: "5" }, { rate: -1 })).message).toMatch(/^Expected `rate` to be/);
  });

  test("even if the value is invalid only as part of the policy", () => {
    const { message } = caught(() => configFromEnv({ RATELIMIT_RATE: "5000", RATELIMIT_PERIOD: "1", RATELIMIT_BURST: "1" }));
    expect(message).toMatch(/^Expected `RATELIMIT_BURST` to be at least one millisecond of refill, got 1/);
  });

  test.each([
    ["env", () => configFromEnv(null as never)],
    ["overrides", () => configFromEnv({}, null as never)],
  ])("and the argument that is null: %s", (what, act) => {
    expect(caught(act).message).toBe(`Expected \`${what}\` to be an object, got null: leave it out for the default`);
  });
});

describe("an unknown RATELIMIT_ variable causes only a warning, because another tool may own it", () => {
  test.each([
    ["RATELIMIT_BRUST", "did you mean `RATELIMIT_BURST`?"],
    ["RATELIMIT_REDISURL", "did you mean `RATELIMIT_REDIS_URL`?"],
    ["RATELIMIT_SOMETHING_ELSE_ALTOGETHER", "known variables are RATELIMIT_RATE, "],
  ])("%s", async (name, message) => {
    const warned = () => warningsOf(() => configFromEnv({ [name]: "secret" }));
    const [warning, ...others] = await warned();
    expect(warning?.code).toBe("RATELIMIT_UNKNOWN_VARIABLE");
    expect(warning?.message).toContain(message);
    expect(warning?.message).not.toContain("secret");
    expect([others, await warned()]).toEqual([[], []]);
  });

  test("variables without the prefix are ignored", async () => {
    expect(await warningsOf(() => configFromEnv({ RATELIMITER_RATE: "1", ratelimit_rate: "1", RATE: "1" }))).toEqual([]);
  });
});
