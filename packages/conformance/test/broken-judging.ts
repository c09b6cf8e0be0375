import { ServerResponse } from "node:http";
import { RateLimitExceeded } from "@ratelimit/core";
import type { Exchange } from "@ratelimit/core/adapter";
import type { Answer, Handler, Limiter } from "../src/index.ts";
import { altered, type Broken, type Pass, ToyAdapter, type ToyRequest } from "./toy-adapter.ts";

type Settle = (status: number) => void;

/** Adapters that call the guard wrongly or mishandle its verdict. */
export const judgesWrongly: readonly Broken[] = [
  {
    what: "gives every limiter a different request object",
    breaks: ["shadow: a limiter", "a request is"],
    Adapter: class extends ToyAdapter {
      protected override ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        return super.ask(pass, { ...req }, limiter);
      }
    },
  },
  {
    what: "charges twice",
    breaks: [
      "refund: throwing, rejecting",
      "CVE-2024-45410 (Traefik): having",
      "GHSA-984p-xq9m-4rjw (express-brute): concurrent",
      "CVE-2025-64526 (Strapi): nothing a",
      "shipped by others: a window of half",
      "3,000 headers: a request",
    ],
    Adapter: class extends ToyAdapter {
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        await super.ask(pass, { ...req, res: new ServerResponse(req.node) }, limiter);
        return super.ask(pass, req, limiter);
      }
    },
  },
  {
    what: "asks only the first limiter",
    breaks: ["shipped by others: a second"],
    Adapter: class extends ToyAdapter {
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        return req.rateLimit === undefined ? super.ask(pass, req, limiter) : true;
      }
    },
  },
  {
    what: "limits only requests with a route",
    breaks: ["requests without a route", "CVE-2025-71399 (better-auth): //sign-in has"],
    Adapter: class extends ToyAdapter {
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        return this.route(req) === undefined ? true : super.ask(pass, req, limiter);
      }
    },
  },
  {
    what: "limits only GET and POST",
    breaks: ["every method counts"],
    Adapter: class extends ToyAdapter {
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        return /^(GET|POST|HEAD)$/.test(req.method) ? super.ask(pass, req, limiter) : true;
      }
    },
  },
  {
    what: "sends headers for requests that have no limit",
    breaks: ["limiter: a function picks"],
    Adapter: class extends ToyAdapter {
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        const passes = await super.ask(pass, req, limiter);
        if (req.rateLimit === undefined) req.res.setHeader("X-RateLimit-Limit", "0");
        return passes;
      }
    },
  },
  {
    what: "serves only one request at a time",
    breaks: ["key: a call", "cost: a call", "limiter: a call"],
    Adapter: class extends ToyAdapter {
      #before: Promise<unknown> = Promise.resolve();
      protected override ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        const passes = this.#before.then(() => super.ask(pass, req, limiter));
        this.#before = passes.catch(() => {});
        return passes;
      }
    },
  },
  {
    what: "fails open when something throws",
    breaks: ["limiter: a function that", "cost: anything but", "cost: whatever it throws", "limiter: whatever it throws"],
    Adapter: class extends ToyAdapter {
      protected override ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        return super.ask(pass, req, limiter).catch(() => true);
      }
    },
  },
  {
    what: "answers every error with 500",
    breaks: ["an onLimited that throws", "a callback's error", "a backend failure", "two copies of core in one process: each answers"],
    Adapter: class extends ToyAdapter {
      protected override fail(req: ToyRequest, { headers = {} }: { headers?: Record<string, string> }): void {
        super.fail(req, { status: 500, headers });
      }
    },
  },
  {
    what: "drops its headers on an error",
    breaks: ["a handler that throws still", "a handler that rejects", "a handler that throws behind"],
    Adapter: class extends ToyAdapter {
      protected override fail(req: ToyRequest, error: { status?: number; headers?: Record<string, string> }): void {
        if (!req.res.headersSent) for (const name of req.res.getHeaderNames()) req.res.removeHeader(name);
        super.fail(req, error);
      }
    },
  },
  {
    what: "answers RateLimitExceeded like any other error",
    breaks: ["RateLimitExceeded thrown behind limits", "RateLimitExceeded whose call"],
    Adapter: class extends ToyAdapter {
      protected override answer(): boolean {
        return false;
      }
    },
  },
  {
    what: "drops the headers of an error",
    breaks: ["RateLimitExceeded thrown behind a limiter", "RateLimitExceeded thrown by"],
    Adapter: class extends ToyAdapter {
      protected override answer(error: unknown, req: ToyRequest): boolean {
        const answered = error instanceof RateLimitExceeded;
        if (answered) this.send(req.res, { status: 429, body: "An error" });
        return answered;
      }
    },
  },
  {
    what: "leaks an error in its answer",
    breaks: ["RateLimitExceeded thrown by"],
    Adapter: class extends ToyAdapter {
      protected override answer(error: unknown, req: ToyRequest): boolean {
        req.res.setHeader("X-Error", String((error as { key?: string }).key));
        return super.answer(error, req);
      }
    },
  },
  {
    what: "never settles",
    breaks: ["refund: a login"],
    Adapter: class extends ToyAdapter {
      protected override settle(): void {}
    },
  },
  {
    what: "settles immediately",
    breaks: ["refund: a login", "refund: called once"],
    Adapter: class extends ToyAdapter {
      protected override settle(_res: ServerResponse, settle: Settle): void {
        settle(200);
      }
    },
  },
  {
    what: "settles twice",
    breaks: ["refund: true returns", "CVE-2026-26330 (Envoy): a backend", "shipped by others: a refund"],
    Adapter: class extends ToyAdapter {
      protected override settle(res: ServerResponse, settle: Settle): void {
        super.settle(res, (status) => {
          settle(status);
          settle(status);
        });
      }
    },
  },
  {
    what: "settles only complete responses",
    breaks: ["refund: with refundAborted, a client that does"],
    Adapter: class extends ToyAdapter {
      protected override settle(res: ServerResponse, settle: Settle): void {
        res.once("finish", () => settle(res.statusCode));
      }
    },
  },
  {
    what: "settles an aborted response as if it had been sent",
    breaks: [
      "refund: a client that hangs",
      "refund: with refundAborted, a client that does",
      "refund: with refundAborted, a client that gives",
    ],
    Adapter: class extends ToyAdapter {
      protected override settle(res: ServerResponse, settle: Settle): void {
        super.settle(res, () => settle(res.statusCode));
      }
    },
  },
  {
    what: "trusts Node's writableFinished, which is true even for a response that its client cut short",
    breaks: ["refund: with refundAborted, a response that"],
    Adapter: class extends ToyAdapter {
      protected override settle(res: ServerResponse, settle: Settle): void {
        res.once("close", () => settle(res.writableEnded && res.writableFinished ? res.statusCode : 499));
      }
    },
  },
  {
    what: "does not settle a request that was aborted early",
    breaks: ["refund: with refundAborted, a client that gives"],
    Adapter: class extends ToyAdapter {
      protected override settle(res: ServerResponse, settle: Settle): void {
        if (!res.closed) super.settle(res, (status) => settle(status));
      }
    },
  },
  {
    what: "passes on the decision without its methods",
    breaks: ["of three limiters", "charge: a cost", "charge: exact even"],
    Adapter: class extends ToyAdapter {
      protected override handle(handler: Handler, req: ToyRequest): ReturnType<Handler> {
        return super.handle(handler, { ...req, rateLimit: { ...req.rateLimit } as never });
      }
    },
  },
  {
    what: "attaches a decision that no limiter made",
    breaks: ["a request that no"],
    Adapter: class extends ToyAdapter {
      protected override handle(handler: Handler, req: ToyRequest): ReturnType<Handler> {
        return super.handle(handler, { ...req, rateLimit: req.rateLimit ?? ({ allowed: true } as never) });
      }
    },
  },
  {
    what: "attaches the last decision instead of the tightest",
    breaks: ["the request carries its"],
    Adapter: class extends ToyAdapter {
      protected override handle(handler: Handler, req: ToyRequest): ReturnType<Handler> {
        return super.handle(handler, { ...req, rateLimit: req.rateLimit?.all.at(0) as never });
      }
    },
  },
  {
    what: "drops work after the client has gone",
    breaks: ["charge and refund: exact", "charge and refund: each"],
    Adapter: class extends ToyAdapter {
      protected override async handle(handler: Handler, req: ToyRequest): Promise<Answer> {
        const { rateLimit } = req;
        const charge = async (tokens: number): Promise<never> => (req.res.closed ? undefined : rateLimit?.charge(tokens)) as never;
        return super.handle(handler, {
          ...req,
          ...(rateLimit && { rateLimit: Object.assign(Object.create(rateLimit) as typeof rateLimit, { charge }) }),
        });
      }
    },
  },
  {
    what: "lets a refused request go on if its response was already sent",
    breaks: ["a response sent", "a limiter behind a"],
    Adapter: class extends ToyAdapter {
      protected override exchange(req: ToyRequest, proceed: () => void): Exchange<[]> {
        const attach = (): void => void (req.res.headersSent && proceed());
        return altered(super.exchange(req, proceed), { attach });
      }
    },
  },
  {
    what: "crashes when a client disconnects",
    breaks: ["refund: with refundAborted, a client that gives"],
    Adapter: class extends ToyAdapter {
      protected override settle(res: ServerResponse, settle: Settle): void {
        if (res.closed) throw new Error("of the adapter");
        super.settle(res, (status) => settle(status));
      }
    },
  },
  {
    what: "crashes on a broken request",
    breaks: ["requests that break off"],
    Adapter: class extends ToyAdapter {
      #broken = false;
      protected override async ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        this.#broken ||= req.method === "POST";
        if (this.#broken) throw new Error("of the adapter");
        return super.ask(pass, req, limiter);
      }
    },
  },
  {
    what: "keeps users where the guard does not look",
    breaks: ["limitByUser: the key", "limitByUser: a user without"],
    Adapter: class extends ToyAdapter {
      protected override ask(pass: Pass, req: ToyRequest, limiter: Limiter): Promise<boolean> {
        req.user = undefined;
        return super.ask(pass, req, limiter);
      }
    },
  },
];
