import type { ServerResponse } from "node:http";
import type { Exchange } from "@ratelimit/core/adapter";
import type { Limiter } from "../src/index.ts";
import { altered, type Broken, type Pass, ToyAdapter, type ToyRequest } from "./toy-adapter.ts";

/** Adapters that send wrong answers. */
export const answersWrongly: readonly Broken[] = [
  {
    what: "drops its headers on a refusal",
    breaks: [
      "headers legacy: exactly",
      "headers draft-6: exactly",
      "headers draft-7: exactly",
      "headers draft-8: exactly",
      "headers draft-11: exactly",
      "shipped by others: a window of 30",
      "shipped by others: a refusal",
      "Retry-After is never",
    ],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        for (const name of req.res.getHeaderNames()) if (name.includes("ratelimit") || name === "retry-after") req.res.removeHeader(name);
        super.refuse(body, req);
      }
    },
  },
  {
    what: "sends its headers only on a refusal",
    breaks: [
      "the default headers",
      "limiter: a policy",
      "legacy: the limit is",
      "cost: a number, or",
      "CVE-2026-2880, CVE-2026-33804, CVE-2026-33807 (@fastify/middie",
    ],
    Adapter: class extends ToyAdapter {
      protected override exchange(req: ToyRequest, proceed: () => void): Exchange<[]> {
        const passOn = (): void => {
          for (const name of req.res.getHeaderNames()) if (/ratelimit|retry/.test(name)) req.res.removeHeader(name);
          proceed();
        };
        return super.exchange(req, passOn);
      }
    },
  },
  {
    what: "adds a charset to the content type",
    breaks: ["a cost above the burst is", "a refusal names a"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        req.res.setHeader("Content-Type", "application/problem+json; charset=utf-8");
        super.refuse(body, req);
      }
    },
  },
  {
    what: "lets a refusal be cached",
    breaks: ["a refusal is a"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        req.res.removeHeader("Cache-Control");
        super.refuse(body, req);
      }
    },
  },
  {
    what: "sends a body without its length",
    breaks: ["a refusal is a"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        req.res.removeHeader("Content-Length");
        super.refuse(body, req);
      }
    },
  },
  {
    what: "writes its own reason phrase",
    breaks: ["a refusal is a"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        req.res.statusMessage = "Slow Down";
        super.refuse(body, req);
      }
    },
  },
  {
    what: "reformats the body",
    breaks: ["a refusal is a"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        const text = JSON.stringify(JSON.parse(body), undefined, 1);
        req.res.setHeader("Content-Length", text.length);
        super.refuse(text, req);
      }
    },
  },
  {
    what: "reveals whom it refuses",
    breaks: ["a refusal is a", "the body is the", "a refusal names exactly", "a refusal reveals", "both limiters count:"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        const { "x-api-key": key = "", "x-user": user = "", "x-forwarded-for": address = "" } = req.headers;
        const text = body.replace("Retry", `${key}${address}${String(user).replaceAll('"', "")} may retry`);
        req.res.setHeader("Content-Length", text.length);
        super.refuse(text, req);
      }
    },
  },
  {
    what: "hangs up on HEAD",
    breaks: ["HEAD costs the same"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        if (req.method === "HEAD") req.res.setHeader("Content-Length", 0);
        super.refuse(body, req);
      }
    },
  },
  {
    what: "does not count HEAD",
    breaks: ["HEAD costs the same"],
    Adapter: class extends ToyAdapter {
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        return req.method === "HEAD" || super.ask(pass, req, limiter);
      }
    },
  },
  {
    what: "closes the connection after a refusal",
    breaks: ["a connection survives"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        req.res.setHeader("Connection", "close");
        super.refuse(body, req);
      }
    },
  },
  {
    what: "refuses with 429 instead of 503",
    breaks: ["a request refused"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        req.res.statusCode = 429;
        super.refuse(body, req);
      }
    },
  },
  {
    what: "lets the handler run for a refused request",
    breaks: ["a refused request does", "an asynchronous backend"],
    Adapter: class extends ToyAdapter {
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        await super.ask(pass, req, limiter);
        return true;
      }
    },
  },
  {
    what: "never refuses",
    breaks: [
      'anonymous: "address" limits anonymous',
      "kinds of key never",
      "one limiter on",
      "two inline policies",
      "of concurrent requests",
      "a client that gives",
      "shipped by others: a refused",
      "shipped by others: grouped",
      "shipped by others: two",
      "two copies of core in one process: each accepts",
    ],
    Adapter: class extends ToyAdapter {
      protected override exchange(req: ToyRequest, proceed: () => void): Exchange<[]> {
        const send = (): void => {
          req.res.removeHeader("Content-Length");
          proceed();
        };
        return altered(super.exchange(req, proceed), { refuse: () => {}, send });
      }
    },
  },
  {
    what: "does not call onLimited",
    breaks: ["onLimited writes the refusal", "onLimited may only", "onLimited may return", "onLimited: a call"],
    Adapter: class extends ToyAdapter {
      protected override limit({ call, options }: Limiter): Pass {
        return super.limit({ call, options });
      }
    },
  },
  {
    what: "calls onLimited in shadow mode",
    breaks: ["shadow: onLimited is not"],
    Adapter: class extends ToyAdapter {
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        const passes = await super.ask(pass, req, limiter);
        if (passes && req.rateLimit?.allowed === false) await limiter.onLimited?.(req.rateLimit, req);
        return passes;
      }
    },
  },
  {
    what: "treats an error from onLimited as an answer",
    breaks: ["onLimited: throwing or rejecting"],
    Adapter: class extends ToyAdapter {
      protected override limit({ onLimited, ...limiter }: Limiter): Pass {
        const swallow: Limiter["onLimited"] = async (result, req) => {
          try {
            return await onLimited?.(result, req);
          } catch {
            return { status: 200, body: "" };
          }
        };
        return super.limit({ ...limiter, ...(onLimited && { onLimited: swallow }) });
      }
    },
  },
  {
    what: "sends each header twice",
    breaks: ["headers legacy: exactly"],
    Adapter: class extends ToyAdapter {
      protected override set(res: ServerResponse, name: string, value: string): void {
        res.setHeader(name, /ratelimit/i.test(name) ? [value, value] : value);
      }
    },
  },
  {
    what: "keeps only the first limiter's headers",
    breaks: ["two limiters send", "stacked limiters send", "of the drafts that", "single values describe", "of two limits with"],
    Adapter: class extends ToyAdapter {
      protected override set(res: ServerResponse, name: string, value: string): void {
        if (!res.hasHeader(name)) res.setHeader(name, value);
      }
    },
  },
  {
    what: "exposes only the headers of the first limiter",
    breaks: ["exposeHeaders covers"],
    Adapter: class extends ToyAdapter {
      protected override set(res: ServerResponse, name: string, value: string): void {
        if (name !== "Access-Control-Expose-Headers" || !res.hasHeader(name)) res.setHeader(name, value);
      }
    },
  },
  {
    what: "writes headers to the errors of handlers",
    breaks: ["an error that many requests"],
    Adapter: class extends ToyAdapter {
      protected override fail(req: ToyRequest, error: { status?: number; headers?: Record<string, string> }): void {
        error.headers ??= req.res.getHeaders() as Record<string, string>;
        super.fail(req, error);
      }
    },
  },
  {
    what: "drops the headers of an error behind a limit in shadow mode",
    breaks: ["shadow: RateLimitExceeded behind it"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        const isShadow = req.app.limiters.some(({ options }) => options.shadow);
        for (const name of isShadow ? req.res.getHeaderNames() : []) if (/ratelimit|retry/.test(name)) req.res.removeHeader(name);
        super.refuse(body, req);
      }
    },
  },
  {
    what: "does not say that a client has hung up",
    breaks: ["a client that hangs up before"],
    Adapter: class extends ToyAdapter {
      protected override exchange(req: ToyRequest, proceed: () => void): Exchange<[]> {
        return altered(super.exchange(req, proceed), { isGone: false });
      }
    },
  },
  {
    what: "does not end a response whose headers were flushed",
    breaks: ["a limiter behind headers"],
    Adapter: class extends ToyAdapter {
      protected override exchange(req: ToyRequest, proceed: () => void): Exchange<[]> {
        return altered(super.exchange(req, proceed), { end: () => {} });
      }
    },
  },
  {
    what: "never removes a header",
    breaks: ["a refusal drops", "a refusal is not sent", "a refusal is sent with its length"],
    Adapter: class extends ToyAdapter {
      protected override exchange(req: ToyRequest, proceed: () => void): Exchange<[]> {
        return altered(super.exchange(req, proceed), { removeHeader: () => {} });
      }
    },
  },
  {
    what: "drops headers that the application set earlier",
    breaks: ["headers that the application"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        for (const name of Object.keys(req.app.fields)) req.res.removeHeader(name);
        super.refuse(body, req);
      }
    },
  },
  {
    what: "does not see headers that the application set earlier",
    breaks: ["exposeHeaders: appends the headers"],
    Adapter: class extends ToyAdapter {
      protected override exchange(req: ToyRequest, proceed: () => void): Exchange<[]> {
        return altered(super.exchange(req, proceed), { responseHeader: () => undefined });
      }
    },
  },
  {
    what: "sends headers for an uncounted request",
    breaks: ["a request admitted"],
    Adapter: class extends ToyAdapter {
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        const passes = await super.ask(pass, req, limiter);
        if (req.rateLimit?.source === "open") req.res.setHeader("X-RateLimit-Limit", req.rateLimit.limit);
        return passes;
      }
    },
  },
];
