import type { ServerResponse } from "node:http";
import type { Guard, HttpRequest, Verdict } from "@ratelimit/core/adapter";
import type { Limiter } from "../src/index.ts";
import { type Broken, ToyAdapter, type ToyRequest } from "./toy-adapter.ts";

/** Adapters that answer wrongly. */
export const answersWrongly: readonly Broken[] = [
  {
    what: "drops its headers on a refusal",
    breaks: [
      "headers legacy: the bytes",
      "headers draft-6: the bytes",
      "headers draft-7: the bytes",
      "headers draft-8: the bytes",
      "headers draft-11: the bytes",
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
    what: "sends its headers on a refusal only",
    breaks: [
      "without a choice of",
      "limiter: a policy that",
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
    what: "adds a charset",
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
    what: "writes a reason phrase of its own",
    breaks: ["a refusal is a"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        req.res.statusMessage = "Slow Down";
        super.refuse(body, req);
      }
    },
  },
  {
    what: "formats the body anew",
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
    what: "tells whom it refuses",
    breaks: ["a refusal is a", "the body is the", "a refusal names the", "no key, no address", "both are honoured: what"],
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
    breaks: ["HEAD costs like GET"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        if (req.method === "HEAD") req.res.setHeader("Content-Length", 0);
        super.refuse(body, req);
      }
    },
  },
  {
    what: "does not count HEAD",
    breaks: ["HEAD costs like GET"],
    Adapter: class extends ToyAdapter {
      protected override async ask(guard: Guard<ToyRequest>, req: ToyRequest): Promise<Verdict> {
        return req.method === "HEAD" ? { kind: "skip" } : super.ask(guard, req);
      }
    },
  },
  {
    what: "closes the connection of whom it refuses",
    breaks: ["a connection goes on"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        req.res.setHeader("Connection", "close");
        super.refuse(body, req);
      }
    },
  },
  {
    what: "refuses by 429 where it should be 503",
    breaks: ["refused because the backend"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        req.res.statusCode = 429;
        super.refuse(body, req);
      }
    },
  },
  {
    what: "lets the handler run for a refused request",
    breaks: ["a refused request does", "a backend that answers"],
    Adapter: class extends ToyAdapter {
      protected override async apply(verdict: Verdict, limiter: Limiter, req: ToyRequest): Promise<boolean> {
        return (await super.apply(verdict, limiter, req)) || verdict.kind === "refuse";
      }
    },
  },
  {
    what: "refuses nobody",
    breaks: [
      'anonymous: "address" limits who',
      "kinds of key never",
      "one limiter at two",
      "two policies written in",
      "requests at one moment",
      "a client that gives",
      "shipped by others: a refused",
      "shipped by others: grouped",
      "shipped by others: of",
      "two copies of core in one process: limiters",
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
    what: "does not ask onLimited",
    breaks: ["onLimited writes the refusal", "onLimited: one that never"],
    Adapter: class extends ToyAdapter {
      protected override apply(verdict: Verdict, { call, options }: Limiter, req: ToyRequest): Promise<boolean> {
        return super.apply(verdict, { call, options }, req);
      }
    },
  },
  {
    what: "asks onLimited in shadow mode",
    breaks: ["shadow: onLimited is not"],
    Adapter: class extends ToyAdapter {
      protected override async apply(verdict: Verdict, limiter: Limiter, req: ToyRequest): Promise<boolean> {
        if (verdict.kind === "pass" && !verdict.result.allowed) await limiter.onLimited?.(verdict.result, req);
        return super.apply(verdict, limiter, req);
      }
    },
  },
  {
    what: "lets an error of onLimited pass for an answer",
    breaks: ["onLimited: one that throws"],
    Adapter: class extends ToyAdapter {
      protected override async apply(verdict: Verdict, limiter: Limiter, req: ToyRequest): Promise<boolean> {
        return super.apply(verdict, limiter, req).catch(() => true);
      }
    },
  },
  {
    what: "sends each field twice",
    breaks: ["headers legacy: the bytes"],
    Adapter: class extends ToyAdapter {
      protected override set(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
        for (const [name, value] of Object.entries(headers)) res.setHeader(name, /ratelimit/i.test(name) ? [value, value] : value);
      }
    },
  },
  {
    what: "keeps the first limiter's headers",
    breaks: ["two limiters tell what", "whichever limiter is the", "of two limits with"],
    Adapter: class extends ToyAdapter {
      protected override set(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
        for (const [name, value] of Object.entries(headers)) if (!res.hasHeader(name)) res.setHeader(name, value);
      }
    },
  },
  {
    what: "forgets what the application set before",
    breaks: ["what the application set"],
    Adapter: class extends ToyAdapter {
      protected override refuse(body: string, req: ToyRequest): void {
        for (const name of Object.keys(req.app.fields)) req.res.removeHeader(name);
        super.refuse(body, req);
      }
    },
  },
  {
    what: "does not see what the application set before",
    breaks: ["exposeHeaders: appends the names"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), responseHeader: () => undefined };
      }
    },
  },
  {
    what: "tells of limits that nobody counted",
    breaks: ["admitted unseen because the"],
    Adapter: class extends ToyAdapter {
      protected override async apply(verdict: Verdict, limiter: Limiter, req: ToyRequest): Promise<boolean> {
        if (verdict.kind === "pass" && verdict.result.source === "open") req.res.setHeader("X-RateLimit-Limit", verdict.result.limit);
        return super.apply(verdict, limiter, req);
      }
    },
  },
];
