import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { type AnyRequest, type App, type Limiter, listen, type Serve, userIn } from "@ratelimit/conformance";
import { type FetchHandler, type FetchLimit, limitByApiKey, limitByUser, rateLimit, rateLimitOf } from "@ratelimit/fetch";

type LimiterOptions = Limiter["options"];
type Handler = FetchHandler<Request, [Connection]>;

/** What the server passes to handlers, as Deno does. */
interface Connection {
  readonly remoteAddr: { readonly hostname: string };
}

/** Starts a conformance app as fetch handlers behind a server that does for Node what Deno's does. */
export const serve: Serve = (app) => {
  const routes = app.routes.map(({ method, path, limiters, handler }) => ({
    method,
    path: app.mount + path,
    handle: limitedBy(limiters, app, async (request) => {
      const { status, body } = await handler(view(request), rateLimitOf(request));
      return typeof body === "string" ? new Response(body, { status }) : Response.json(body, { status });
    }),
  }));
  const handle = limitedBy(app.limiters, app, async (request, connection) => {
    const path = pathOf(request);
    const method = request.method.toLowerCase().replace("head", "get");
    const route = routes.find((route) => route.path === path && route.method === method);
    return route === undefined ? new Response("nothing here", { status: 404 }) : route.handle(request, connection);
  });
  return listen(async (req, res) => {
    await app.early(res);
    const request = requestOf(req, res);
    if (request === undefined) return send(new Response("Bad request", { status: 400 }), res);
    try {
      await send(await handle(request, { remoteAddr: { hostname: req.socket.remoteAddress ?? "" } }), res);
    } catch (error) {
      const { status = 500 } = (error ?? {}) as { status?: number };
      await send(new Response("An error", { status: status >= 400 ? status : 500 }), res);
    }
  });
};

function limitedBy(limiters: readonly Limiter[], app: App, handler: Handler): Handler {
  return limiters.reduceRight<Handler>((inner, limiter) => limitOf(limiter, app)(inner), handler);
}

/** Makes the limit that one of the suite's limiters describes. */
export function limitOf({ call, options, onLimited }: Limiter, { proxied }: App): FetchLimit {
  const given: LimiterOptions = { ...(proxied && { trust: 1 }), ...viewing(options) };
  const answering = onLimited && {
    onLimited: async (...[result, request]: Parameters<typeof onLimited>) => {
      const answer = await onLimited(result, view(request as unknown as Request));
      if (answer === undefined || typeof answer === "string") return answer;
      const { status, body } = answer;
      return typeof body === "string" ? new Response(body, { status }) : Response.json(body, { status });
    },
  };
  const user = ({ headers }: AnyRequest): unknown => userIn({ headers });
  const all = { ...given, ...answering };
  if (call === "limitByUser") return limitByUser({ ...viewing({ user }), ...all } as never);
  return call === "limitByApiKey" ? limitByApiKey(all as never) : rateLimit(all as never);
}

/** Shows the suite's callbacks a request in the form that they read. */
function viewing(options: LimiterOptions): LimiterOptions {
  return Object.fromEntries(
    Object.entries(options).map(([option, value]) => [
      option,
      typeof value === "function"
        ? (...args: unknown[]) =>
            (value as (...args: unknown[]) => unknown)(...args.map((arg) => (arg instanceof Request ? view(arg) : arg)))
        : value,
    ]),
  ) as LimiterOptions;
}

export function view(request: Request): AnyRequest {
  const { pathname, search } = new URL(request.url);
  return { method: request.method, url: pathname + search, headers: Object.fromEntries(request.headers) };
}

function pathOf(request: Request): string {
  return new URL(request.url).pathname;
}

/** Returns `undefined` for a request that the web's `Request` cannot express. */
function requestOf(req: IncomingMessage, res: ServerResponse): Request | undefined {
  try {
    return asRequest(req, res);
  } catch {
    return undefined;
  }
}

function asRequest(req: IncomingMessage, res: ServerResponse): Request {
  const abort = new AbortController();
  res.once("close", () => {
    if (!res.writableFinished) abort.abort();
  });
  const headers = new Headers();
  for (let i = 0; i < req.rawHeaders.length; i += 2) headers.append(req.rawHeaders[i] as string, req.rawHeaders[i + 1] as string);
  const { url = "/" } = req;
  const hasBody = req.method !== "GET" && req.method !== "HEAD";
  return new Request(new URL(url.startsWith("/") ? `http://localhost${url}` : url), {
    method: req.method ?? "GET",
    headers,
    signal: abort.signal,
    ...(hasBody && { body: Readable.toWeb(req) as ReadableStream, duplex: "half" }),
  });
}

async function send(response: Response, res: ServerResponse): Promise<void> {
  if (res.headersSent || res.destroyed) return;
  const body = Buffer.from(await response.arrayBuffer());
  res.writeHead(response.status, { "content-length": body.length, ...Object.fromEntries(response.headers) }).end(body);
}
