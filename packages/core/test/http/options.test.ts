import { type Backend, defineConfig, type RateLimitError, RateLimiter, type SyncBackend } from "@ratelimit/core";
import type { HttpRequest } from "@ratelimit/core/adapter";
import { describe, expect, test } from "vitest";
import { LateBackend, tableBackend } from "../support/backends.ts";
import { caught } from "../support/caught.ts";
import { createApiKeyGuard, createGuard, createUserGuard } from "./recorded-exchange.ts";

const describeRequest = (): HttpRequest => ({
  method: "GET",
  url: "/",
  ip: "1.2.3.4",
  socketAddress: "1.2.3.4",
  header: () => undefined,
});

const inProcess = (): SyncBackend => Object.assign(tableBackend(), { inProcess: true as const });

/** A backend shared between processes. */
const shared = (): Backend => Object.assign(new LateBackend(), { inProcess: undefined });

const make = {
  createGuard: (options: unknown) => createGuard(options as never, describeRequest, inProcess),
  createUserGuard: (options: unknown) => createUserGuard(options as never, describeRequest, () => "ada", inProcess),
  createApiKeyGuard: (options: unknown) => createApiKeyGuard(options as never, describeRequest, inProcess),
};

function problem(options: unknown): RateLimitError {
  return caught(() => make.createGuard(options));
}

const odd: readonly unknown[] = [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "100", null, 10n, true, 2 ** 53, 0.5, {}, [], () => 1];

/** The odd values that each numeric option accepts. All others cause an error that names the option. */
describe.each<[option: string, taken: readonly unknown[]]>([
  ["rate", [0]],
  ["burst", []],
  ["period", [0.5]],
  ["cost", [0, odd.at(-1)]],
  ["ipv6Prefix", []],
  ["trust", [0, odd[11]]],
])("%s", (option, taken) => {
  test.each(odd.map((value) => [value]))("with %s", (value) => {
    const options = { rate: 100, backend: inProcess(), [option]: value };
    if (taken.some((good) => Object.is(good, value))) return void make.createGuard(options);
    const { code, message } = problem(options);
    expect(code).toMatch(/^INVALID_(OPTION|POLICY)$/);
    expect(message).toMatch(new RegExp(`^Expected \`${option}\` to be .*, got `));
  });
});

test.each(Object.keys(make) as (keyof typeof make)[])("%s shows what it got instead of options", (name) => {
  for (const options of [undefined, null, [], ["a"], 100, "100/min", () => 1])
    expect(caught(() => make[name](options)).message).toContain("Expected `options` to be an object of options, got");
});

test("all problems of one construction are reported in one error, including those of the policy", () => {
  const { code, message } = problem({
    ...{ rate: -1, brust: 5, burst: -1, excludePaths: ["health"], headers: "draft-9", trust: ["10.0.0.0/33"], ipv6Prefix: 0 },
    ...{
      keySecret: "short",
      skip: true,
      refund: 1,
      shadow: "yes",
      exposeHeaders: 1,
      skipPreflight: null,
      onLimited: {},
      key: "a",
      cost: -1,
    },
  });
  expect(code).toBe("INVALID_POLICY");
  const lines = message.split("\n  - ");
  expect(lines[0]).toBe("16 problems:");
  for (const option of [
    "rate",
    "burst",
    "excludePaths",
    "headers",
    "trust",
    "ipv6Prefix",
    "keySecret",
    "skip",
    "refund",
    "shadow",
    "exposeHeaders",
    "skipPreflight",
    "onLimited",
    "key",
    "cost",
  ])
    expect(
      lines.filter((line) => line.startsWith(`Expected \`${option}\` to be`)),
      option,
    ).toHaveLength(1);
  expect(lines).toContain("Unknown option `brust`: did you mean `burst`?");
});

test.each([
  ["brust", "burst"],
  ["Rate", "rate"],
  ["excludePath", "excludePaths"],
  ["skipPreflights", "skipPreflight"],
  ["onLimit", "onLimited"],
  ["ipv6prefix", "ipv6Prefix"],
  ["keySecert", "keySecret"],
  ["header", "headers"],
])("the error for an unknown option %s suggests %s", (unknown, meant) => {
  expect(problem({ rate: 1, [unknown]: 1 }).message).toBe(`Unknown option \`${unknown}\`: did you mean \`${meant}\`?`);
});

test("the error for an unknown option that resembles none lists the known ones", () => {
  expect(problem({ rate: 1, expiry: 1 }).message).toMatch(/^Unknown option `expiry`: known options are limiter, /);
});

test("each guard accepts only its own options", () => {
  for (const [name, option] of [
    ["createGuard", "user"],
    ["createGuard", "valid"],
    ["createUserGuard", "key"],
    ["createUserGuard", "header"],
    ["createApiKeyGuard", "key"],
    ["createApiKeyGuard", "user"],
  ] as const)
    expect(caught(() => make[name]({ rate: 1, [option]: () => "a" })).message).toContain(`Unknown option \`${option}\``);
  make.createUserGuard({ rate: 1, user: () => "a", anonymous: "skip" });
  make.createApiKeyGuard({ rate: 1, header: "x-key", valid: () => true, anonymous: "refuse" });
  for (const header of ["", "a b", "a:b", "dünn", "a\n", 1])
    expect(caught(() => make.createApiKeyGuard({ rate: 1, header })).message).toMatch(/Expected `header` to be a header's name/);
  expect(caught(() => make.createUserGuard({ rate: 1, anonymous: "allow" })).message).toMatch(
    /Expected `anonymous` to be "address", "skip" or "refuse", got "allow"/,
  );
});

test.each([
  [{}, 'Expected a policy, got none: write { rate: 100, period: "1m" }, or { limiter }'],
  [{ headers: "legacy" }, "Expected a policy, got none"],
  [{ rate: 1, limits: [{ rate: 1 }] }, "Expected `rate` to be absent beside `limits`"],
  [{ rate: 1, config: defineConfig() }, "Expected one policy, got `config` and `rate`: leave one out, or combine them with defineConfig"],
  [{ limiter: new RateLimiter({ rate: 1, backend: inProcess() }), rate: 1, name: "a" }, "2 problems"],
  [{ limiter: { rate: 1 } }, "Expected `limiter` to be a RateLimiter, or a function that returns one or a policy, got an object"],
  [{ limiter: null }, "Expected `limiter` to be a RateLimiter, or a function that returns one or a policy, got null"],
  [{ rate: 1, backend: {} }, "Expected `backend` to be a backend with take, adjust, block, reset and close, got an object"],
  [{ rate: 1, backend: shared() }, "Expected `name` to be given for a backend shared by several processes, got undefined"],
  [{ config: defineConfig({ redisUrl: "redis://user:secret@host" }) }, "Expected `backend` to be given beside a `config` with a Redis"],
  [{ rate: 5, cost: 6 }, "Expected `cost` to be at most the burst of 5, got 6"],
  [
    {
      limits: [
        { name: "a", rate: 9 },
        { name: "b", rate: 3 },
      ],
      cost: 4,
    },
    "Expected `cost` to be at most the burst of 3, got 4",
  ],
  [{ rate: 1, keySecret: "a secret, short" }, "Expected `keySecret` to be a secret of at least 16 characters or bytes"],
  [{ rate: 1, trust: true }, "Expected `trust` to be false, a number of proxies, or an array of networks, got true"],
  [{ rate: 1, trust: ["loopback"] }, "Expected `trust` to be"],
  [{ rate: 1, headers: [] }, "Expected `headers` to be"],
  [{ rate: 1, headers: ["draft-7", "draft-8"] }, "Expected `headers` to be"],
])("%o causes the error: %s", (options, sentence) => {
  expect(problem(options).message).toContain(sentence);
});

test("no message reveals a secret", () => {
  for (const options of [
    { rate: 0, keySecret: "hunter2" },
    { rate: 0, keySecret: Buffer.from("hunter2") },
    { rate: 0, keySecret: ["hunter2-hunter2-hunter2", "hunter2"] },
    { rate: 0, keySecret: { current: "hunter2" } },
    { config: defineConfig({ redisUrl: "redis://user:hunter2@host" }) },
  ])
    expect(problem(options).message).not.toContain("hunter2");
});

test.each([
  ["limiter", { limiter: () => "hunter2" }],
  ["cost", { rate: 1, cost: () => "hunter2" }],
])("nor does the message about what the function `%s` returned", async (option, options) => {
  const guard = make.createGuard(options);
  const { message } = await Promise.resolve(guard({})).then(
    () => new Error("not thrown"),
    (error: Error) => error,
  );
  expect(message).toContain(`Expected \`${option}\` to be`);
  expect(message).not.toContain("hunter2");
});

test("a secret may be any bytes", () => {
  expect(() => make.createGuard({ rate: 1, keySecret: new Uint8Array(16) })).not.toThrow();
});

test.each(["64:ff9b::/96", "::ffff:0:0/96"])("%s, which is all of IPv4, is no network for `allow`, `deny` or `trust`", (network) => {
  for (const option of ["allow", "deny", "trust"])
    expect(problem({ rate: 1, [option]: [network] }).message).toContain(`Expected \`${option}\` to be`);
});

test.each(["dünn", "a\nb", "", 'a"b', "a b", "-a", "1a", `a${"b".repeat(64)}`])(
  "a limit name that a header cannot carry, %j, is rejected",
  (name) => {
    expect(problem({ limits: [{ name, rate: 1 }] }).message).toMatch(/Expected `limits\[0\]\.name` to be a letter followed by at most 63/);
  },
);

test("options may be frozen or undefined, and are not modified", () => {
  const options = Object.freeze({
    rate: 5,
    burst: undefined,
    key: undefined,
    trust: undefined,
    headers: Object.freeze(["legacy", "draft-8"]),
  });
  make.createGuard(options);
  expect(options).toEqual({ rate: 5, burst: undefined, key: undefined, trust: undefined, headers: ["legacy", "draft-8"] });
});

test("__proto__ from JSON is an unknown option and changes nothing", () => {
  const options: unknown = JSON.parse('{ "rate": 5, "__proto__": { "shadow": true } }');
  expect(problem(options).message).toContain("Unknown option `__proto__`");
  expect(({} as { shadow?: true }).shadow).toBeUndefined();
});

test("the headers in a config apply unless the options set their own", () => {
  const config = defineConfig({ rate: 5, headers: ["legacy", "draft-8"] });
  const fieldsOf = (options: unknown): string[] => Object.keys((make.createGuard(options)({}) as { headers: object }).headers);
  expect(fieldsOf({ config })).toEqual([
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit-Policy",
    "RateLimit",
  ]);
  expect(fieldsOf({ config, headers: "draft-8" })).toEqual(["RateLimit-Policy", "RateLimit"]);
  expect(fieldsOf({ config: defineConfig({ includeHeaders: false }) })).toEqual([]);
});
