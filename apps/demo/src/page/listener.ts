import type { RequestListener } from "node:http";
import { join } from "node:path";
import express, { type RequestHandler, type Response } from "express";
import type { RedisAction } from "./contract.ts";
import type { Playground } from "./playground.ts";

/** The page talks to the demo's own servers, which are on ports of the loopback address, and to nobody else. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' http://127.0.0.1:*",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const isAction = (action: string): action is RedisAction => ["freeze", "kill", "restart", "resume"].includes(action);

/** Serves the page at `/` and what it needs below `/page/`, and leaves all other paths to `app`. */
export function withPage(app: RequestListener, folder: string, playground: Playground): RequestListener {
  const page = pageApp(folder, playground);
  return (req, res) => (/^\/(?:page\/|\?|$)/.test(req.url ?? "") ? page(req, res) : app(req, res));
}

function pageApp(folder: string, playground: Playground): RequestListener {
  const app = express();
  app.disable("x-powered-by");
  app.use(secure);
  app.get("/page/api/setup", async (_req, res) => {
    res.json(await playground.setup());
  });
  app.post("/page/api/redis/:action", async (req, res, next) => {
    const { action } = req.params;
    if (isAction(action)) res.json(await playground.act(action));
    else next();
  });
  app.get("/", (_req, res, next) => sendIndex(res, folder, next));
  app.use("/page", express.static(folder, { index: false, immutable: true, maxAge: "1h" }));
  app.use((_req, res) => {
    res.status(404).type("text/plain").send("Not found.\n");
  });
  return app;
}

/** Refuses requests that another site sends, or that reach this server by a name of another site. */
const secure: RequestHandler = (req, res, next) => {
  const host = req.get("Host") ?? "";
  const origin = req.get("Origin");
  const isOurs = /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host) && (origin === undefined || origin === `http://${host}`);
  if (!isOurs) {
    res.status(403).type("text/plain").send("Only this page may use this address.\n");
    return;
  }
  res.set({
    "Content-Security-Policy": policy,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
  });
  next();
};

function sendIndex(res: Response, folder: string, next: (error?: unknown) => void): void {
  res.sendFile(join(folder, "index.html"), { cacheControl: false, dotfiles: "allow" }, (error) => {
    if (error === undefined || res.headersSent) return;
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return next(error);
    res.status(404).type("text/plain").send("The page is not built: run pnpm build.\n");
  });
}
