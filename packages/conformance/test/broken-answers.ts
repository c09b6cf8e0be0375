import type { ServerResponse } from "node:http";
import type { Guard, HttpRequest, Verdict } from "@ratelimit/core/adapter";
import type { Limiter } from "../src/index.ts";
import { type Broken, ToyAdapter, type ToyRequest } from "./toy-adapter.ts";

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
      "cost: a number, or",
      "CVE-2026-2880, CVE-2026-33804, CVE-2026-33807 (@fastify/middie",
    ],
    Adapter: class extends ToyAdapter {
      protected override set(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
        if ("Cache-Control" in headers || res.statusCode >= 400) super.set(res, headers);
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
      protected override async ask(guard: Guard<ToyRequest>, req: ToyRequest): Promise<Verdict> {
        return req.method === "HEAD" ? { kind: "skip" } : super.ask(guard, req);
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
      protected override async apply(verdict: Verdict, limiter: Limiter, req: ToyRequest): Promise<boolean> {
        return (await super.apply(verdict, limiter, req)) || verdict.kind === "refuse";
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
      protected override async apply(verdict: Verdict, limiter: Limiter, req: ToyRequest): Promise<boolean> {
        if (verdict.kind !== "refuse") return super.apply(verdict, limiter, req);
        this.set(req.res, verdict.headers);
        req.res.removeHeader("Content-Length");
        return true;
      }
    },
  },
  {
    what: "does not call onLimited",
    breaks: ["onLimited writes the refusal", "onLimited: a call"],
    Adapter: class extends ToyAdapter {
      protected override apply(verdict: Verdict, { call, options }: Limiter, req: ToyRequest): Promise<boolean> {
        return super.apply(verdict, { call, options }, req);
      }
    },
  },
  {
    what: "calls onLimited in shadow mode",
    breaks: ["shadow: onLimited is not"],
    Adapter: class extends ToyAdapter {
      protected override async apply(verdict: Verdict, limiter: Limiter, req: ToyRequest): Promise<boolean> {
        if (verdict.kind === "pass" && !verdict.result.allowed) await limiter.onLimited?.(verdict.result, req);
        return super.apply(verdict, limiter, req);
      }
    },
  },
  {
    what: "treats an error from onLimited as an answer",
    breaks: ["onLimited: throwing or rejecting"],
    Adapter: class extends ToyAdapter {
      protected override async apply(verdict: Verdict, limiter: Limiter, req: ToyRequest): Promise<boolean> {
        return super.apply(verdict, limiter, req).catch(() => true);
      }
    },
  },
  {
    what: "sends each header twice",
    breaks: ["headers legacy: exactly"],
    Adapter: class extends ToyAdapter {
      protected override set(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
        for (const [name, value] of Object.entries(headers)) res.setHeader(name, /ratelimit/i.test(name) ? [value, value] : value);
      }
    },
  },
  {
    what: "keeps only the first limiter's headers",
    breaks: ["two limiters send", "single values describe", "of two limits with"],
    Adapter: class extends ToyAdapter {
      protected override set(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
        for (const [name, value] of Object.entries(headers)) if (!res.hasHeader(name)) res.setHeader(name, value);
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
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), responseHeader: () => undefined };
      }
    },
  },
  {
    what: "sends headers for an uncounted request",
    breaks: ["a request admitted"],
    Adapter: class extends ToyAdapter {
      protected override async apply(verdict: Verdict, limiter: Limiter, req: ToyRequest): Promise<boolean> {
        if (verdict.kind === "pass" && verdict.result.source === "open") req.res.setHeader("X-RateLimit-Limit", verdict.result.limit);
        return super.apply(verdict, limiter, req);
      }
    },
  },
];
