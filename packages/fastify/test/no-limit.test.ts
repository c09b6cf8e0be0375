import rateLimit, { limitByApiKey, limitByUser } from "@ratelimit/fastify";
import Fastify, { type FastifyInstance } from "fastify";
import { expect, test } from "vitest";

const ok = async (): Promise<string> => "ok";

/** Values that someone may put in a route's `config.rateLimit` by mistake, and the error for each. */
const noLimits: readonly (readonly [string, unknown, RegExp])[] = [
  ["true", true, /^Expected `config\.rateLimit` to be options, .*, got true: write \{ rate: 10, period: "1m" \}$/],
  ["null", null, /^Expected `config\.rateLimit` to be options, .*, got null: write \{ rate: 10/],
  ["a number", 10, /^Expected `config\.rateLimit` to be options, .*, got 10: write \{ rate: 10/],
  ["a string", "10/m", /^Expected `config\.rateLimit` to be options, .*, got "10\/m": write \{ rate: 10/],
  ["limitByUser without a call", limitByUser, /got a function: call it, as in limitByUser\(\{ … \}\)/],
  ["limitByApiKey without a call", limitByApiKey, /got a function: /],
  ["the plugin itself", rateLimit, /got a function: /],
  ["an array inside the array", [[{ rate: 1 }]], /got an array: /],
  ["the plugin in an array", [{ rate: 1 }, rateLimit], /got a function: /],
  ["a promise of options", Promise.resolve({ rate: 1 }), /^Expected `config\.rateLimit` to be options, .*, got an object: /],
  ["a date", new Date(), /got an object: /],
  ["a regular expression in an array", [/x/], /got an object: /],
  ["undefined in an array", [undefined], /^Expected `config\.rateLimit` to be options, /],
  ["false in an array", [false], /^Expected `config\.rateLimit` to be options, .*, got false: /],
  ["options without a policy, although the plugin has none", { cost: 2 }, /^Expected a policy, got none: write /],
];

function declare(app: FastifyInstance, limit: unknown): void {
  app.get("/", { config: { rateLimit: limit as never } }, ok);
}

test.each(noLimits)("%s in a route's config.rateLimit throws when the route is declared", async (_, limit, message) => {
  const app = Fastify();
  await app.register(rateLimit);
  expect(() => declare(app, limit)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  expect(() => declare(app, limit)).toThrow(message);
});

test.each(noLimits)("%s in a route declared before the plugin fails every request to that route only", async (_, limit) => {
  const app = Fastify();
  app.get("/other", ok);
  declare(app, limit);
  await app.register(rateLimit);
  for (const path of ["/", "/"]) {
    const reply = await app.inject(path);
    expect([reply.statusCode, reply.json<{ code: string }>().code]).toEqual([500, "INVALID_OPTION"]);
  }
  expect((await app.inject("/other")).statusCode).toBe(200);
});

test("a limit beside a route's config throws when the route is declared", async () => {
  const app = Fastify();
  await app.register(rateLimit, { rate: 1 });
  const misplaced: object = { rateLimit: { rate: 5 } };
  expect(() => app.get("/", misplaced, ok)).toThrow(/^Expected `rateLimit` to be inside the route's `config`, got it beside `config`: /);
});

test("a limit made by another copy of this package works", async () => {
  const copy = (await import(`${import.meta.resolve("@ratelimit/fastify")}?copy`)) as typeof import("@ratelimit/fastify");
  expect(copy.limitByUser).not.toBe(limitByUser);
  const app = Fastify();
  await app.register(rateLimit);
  app.get("/", { config: { rateLimit: copy.limitByUser({ rate: 1, user: () => 1 }) } }, ok);
  expect([(await app.inject("/")).statusCode, (await app.inject("/")).statusCode]).toEqual([200, 429]);
});

test.each([
  ["inherited options", Object.create({ rate: 1 }) as object],
  [
    "options that are getters of a class",
    new (class {
      get rate(): number {
        return 1;
      }
    })(),
  ],
  ["true", true],
  ["an array", []],
  ["the result of limitByUser", limitByUser({ rate: 1 })],
])("registering the plugin with %s throws", async (_, options) => {
  const app = Fastify();
  await expect(app.register(rateLimit, options as object)).rejects.toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
});
