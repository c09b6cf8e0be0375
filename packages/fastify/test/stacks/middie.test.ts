import middie from "@fastify/middie";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, RateLimiter } from "@ratelimit/core";
import { rateLimit as middleware } from "@ratelimit/express";
import { rateLimit } from "@ratelimit/fastify";
import Fastify, { type FastifyInstance } from "fastify";
import { describe, expect, test } from "vitest";

type Step = (app: FastifyInstance) => PromiseLike<unknown>;

async function serve(first: Step, second: Step): Promise<FastifyInstance> {
  const app = Fastify();
  await first(app);
  await second(app);
  return app.get("/", async (request) => ({ names: request.rateLimit?.all.map(({ name }) => name) }));
}

const still = (): { backend: MemoryBackend } => ({ backend: new MemoryBackend({ clock: new ManualClock() }) });

describe.each([
  ["before", (inMiddie: Step, inFastify: Step) => serve(inMiddie, inFastify)],
  ["after", (inMiddie: Step, inFastify: Step) => serve(inFastify, inMiddie)],
] as const)("with @fastify/middie registered %s the plugin:", (order, start) => {
  test("the plugin limits, and a middleware in middie sees its headers or comes before it", async () => {
    const ran: string[] = [];
    const app = await start(
      async (app) => {
        await app.register(middie);
        app.use((_req, res, next) => {
          ran.push(`middie ${res.hasHeader("x-ratelimit-limit")}`);
          next();
        });
      },
      (app) => app.register(rateLimit, { rate: 1 }),
    );
    expect([(await app.inject("/")).statusCode, (await app.inject("/")).statusCode]).toEqual([200, 429]);
    expect(ran).toEqual(order === "before" ? ["middie false", "middie false"] : ["middie true"]);
  });

  test("the Express middleware in middie and the plugin both count, and the headers cover both", async () => {
    const app = await start(
      async (app) => {
        await app.register(middie);
        app.use(middleware({ ...still(), name: "narrow", rate: 2, headers: "draft-8" }));
      },
      (app) => app.register(rateLimit, { ...still(), name: "wide", rate: 9, headers: "draft-8" }),
    );
    const { headers, statusCode } = await app.inject("/");
    const limits = ['"narrow";r=1;t=30', '"wide";r=8;t=54'];
    expect([statusCode, headers["ratelimit"]]).toEqual([200, (order === "before" ? limits : limits.reverse()).join(", ")]);
    const rest = [await app.inject("/"), await app.inject("/")];
    expect(rest.map((reply) => reply.statusCode)).toEqual([200, 429]);
  });

  test("one limiter, given to both, charges a request once", async () => {
    const limiter = new RateLimiter({ ...still(), rate: 2 });
    const app = await start(
      async (app) => {
        await app.register(middie);
        app.use(middleware({ limiter }));
      },
      (app) => app.register(rateLimit, { limiter }),
    );
    const replies = [await app.inject("/"), await app.inject("/"), await app.inject("/")];
    expect(replies.map((reply) => reply.statusCode)).toEqual([200, 200, 429]);
  });
});
