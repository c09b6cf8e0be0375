import { type Answer, type App, type Limiter, portOf, type Serve, serverOptions, userIn } from "@ratelimit/conformance";
import { type FastifyRateLimitOptions, limitByApiKey, limitByUser, type RouteRateLimit, rateLimit } from "@ratelimit/fastify";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";

/** Starts a conformance app in this framework. */
export const serve: Serve = async (app) => {
  const fastify = Fastify({ trustProxy: app.proxied ? "loopback" : false, forceCloseConnections: true, http: serverOptions });
  fastify.decorateRequest("user", null);
  fastify.addHook("onRequest", async (_request, reply) => {
    reply.headers(app.fields);
    await app.early(reply.raw);
  });
  if (app.mount === "") await limited(fastify, app, app.limiters);
  else await fastify.register((scope) => limited(scope, app, app.limiters), { prefix: app.mount });
  await fastify.listen({ port: 0, host: "127.0.0.1" });
  return { port: portOf(fastify.server), close: () => fastify.close() };
};

/** Registers the first limiter in this scope, the others in nested scopes, and the routes in the innermost. */
async function limited(scope: FastifyInstance, app: App, [first, ...others]: readonly Limiter[]): Promise<void> {
  await scope.register(rateLimit, first === undefined ? {} : optionsOf(first));
  if (others.length > 0) return void scope.register((inner) => limited(inner, app, others));
  for (const { method, path, limiters, handler } of app.routes)
    scope[method](path, { preHandler: authenticate, config: { rateLimit: limiters.map(routeLimit) } }, async (request, reply) =>
      send(reply, await handler(request, request.rateLimit ?? undefined)),
    );
}

function routeLimit(limiter: Limiter): RouteRateLimit {
  const make = { rateLimit: (options: FastifyRateLimitOptions) => options, limitByUser, limitByApiKey }[limiter.call];
  return make(optionsOf(limiter));
}

function optionsOf({ options, onLimited }: Limiter): FastifyRateLimitOptions {
  if (onLimited === undefined) return options;
  return { ...options, onLimited: async (result, request, reply) => sendAnswer(reply, await onLimited(result, request)) };
}

function authenticate(request: FastifyRequest & { user?: unknown }, _reply: FastifyReply, done: () => void): void {
  request.user = userIn(request);
  done();
}

/** Returns a string for the adapter to send. */
function sendAnswer(reply: FastifyReply, answer: Answer | string | undefined): FastifyReply | string | undefined {
  return answer === undefined || typeof answer === "string" ? answer : send(reply, answer);
}

function send(reply: FastifyReply, { status, body }: Answer): FastifyReply {
  return reply.code(status).send(body);
}
