import type { RequestListener } from "node:http";
import { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/fastify";
import fastify, { type FastifyRequest } from "fastify";
import { limitsOn, type Site } from "./limits.ts";

declare module "fastify" {
  interface FastifyRequest {
    user: { id: string } | null;
  }
}

/** The application in Fastify. A route's own limit replaces that of the plugin. */
export async function fastifyApp(site: Site): Promise<RequestListener> {
  const limits = limitsOn(site);
  const app = fastify();
  app.decorateRequest("user", null);
  await app.register(rateLimit, limits.everythingElse);

  app.get("/api/public", { config: { rateLimit: limits.public } }, ok);
  app.get("/api/user", { preHandler: toyAuthentication, config: { rateLimit: limitByUser(limits.user) } }, ok);
  app.get("/api/partner", { config: { rateLimit: limitByApiKey(limits.partner) } }, ok);
  app.get("/api/report", { config: { rateLimit: limits.report } }, ok);

  app.get("/api/data", ok);
  app.get("/health", ok);
  await app.ready();
  return (req, res) => app.routing(req, res);
}

async function ok(): Promise<{ status: string }> {
  return { status: "ok" };
}

/** A TOY that trusts `X-User`. Real authentication checks a session or a token. */
async function toyAuthentication(request: FastifyRequest): Promise<void> {
  const id = request.headers["x-user"];
  if (typeof id === "string" && id !== "") request.user = { id };
}
