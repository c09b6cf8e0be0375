import { limitByApiKey, limitByUser, rateLimit } from "@ratelimit/fastify";
import fastify, { type FastifyRequest } from "fastify";

// Your own authentication. This toy trusts a header.
async function authenticate(request: FastifyRequest): Promise<void> {
  Object.assign(request, { user: { id: request.headers["x-user"] } });
}
const ok = async () => ({ status: "ok" });

export const app = fastify();
await app.register(rateLimit); // sets no limit of its own, but enables those of routes

// By address
app.get("/api/public", { config: { rateLimit: { rate: 10, period: 60 } } }, ok);

// By user: `request.user.id`
const perUser = limitByUser({ rate: 100, period: 60 });
app.get("/api/user", { preHandler: authenticate, config: { rateLimit: perUser } }, ok);

// By API key: `X-API-Key`
const perKey = limitByApiKey({ rate: 1000, period: 3600, valid: (key) => key.startsWith("partner-") });
app.get("/api/partner", { config: { rateLimit: perKey } }, ok);
