import type { HttpRequest } from "@ratelimit/core/adapter";
import type { Limiter } from "../src/index.ts";
import { type Broken, ToyAdapter, type ToyRequest } from "./toy-adapter.ts";

type Options = Limiter["options"];

/** Options that an adapter may forget to hand on, and promises that it breaks. */
const forgotten: readonly (readonly [option: keyof Options, breaks: readonly string[]])[] = [
  ["headers", ["headers none: the bytes", "one per hour: the", "several limits: lists hold", "refused by the daily", "draft 6 and 7"]],
  [
    "cost",
    [
      "headers legacy and draft-8",
      "Retry-After 1 stands for",
      "a dear request is",
      "a cost above the burst has",
      "a refusal by one",
      "shipped by others: a cost",
    ],
  ],
  ["refund", ["refund: a log-in limit"]],
  ["shadow", ["shadow: decides and reports", "shadow: beside another limiter", "shadow: a backend that"]],
  ["skip", ["skip: only true lets", "skip: whatever it throws", "skip: one that never"]],
  ["skipPreflight", ["skipPreflight: CORS preflights pass"]],
  ["excludePaths", ["excludePaths: whatever the method"]],
  ["exposeHeaders", ["exposeHeaders: appends the names"]],
  [
    "trust",
    [
      "behind a proxy believed by trust: 1, every",
      "behind a proxy believed by trust of its network, every",
      "trust: false overrules a",
      "several proxies are walked",
      "CVE-2026-46415 (Caddy Defender): behind",
    ],
  ],
  ["ipv6Prefix", ["ipv6Prefix says how many"]],
  ["keySecret", ["with keySecret no address"]],
  ["key", ["key: a text, number", "key: an empty text", "one limiter under two", "key: whatever it throws"]],
  ["user", ["limitByUser: user finds the", "user: whatever it throws", "user: one that never"]],
  ["valid", ["limitByApiKey: what valid does", "limitByApiKey: only true confirms", "valid: whatever it throws", "valid: one that never"]],
  ["header", ["limitByApiKey: header names another"]],
  ["anonymous", ['anonymous: "skip" lets who', 'anonymous: "refuse" turns away']],
];

/** Adapters that tell wrongly what the request is, or forget an option. */
export const readsWrongly: readonly Broken[] = [
  {
    what: "chokes on a request that no client should write",
    breaks: ["requests as no client"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        decodeURIComponent(req.url);
        return super.describe(req);
      }
    },
  },
  {
    what: "decodes paths",
    breaks: ["excludePaths: exactly the path"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), url: req.url.replace("%68", "h") };
      }
    },
  },
  {
    what: "forgets where it is mounted",
    breaks: ["excludePaths: of a mounted"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), url: req.url.replace(req.app.mount, "") };
      }
    },
  },
  {
    what: "believes what proxies say of the path",
    breaks: ["CVE-2026-3635 (Fastify): forwarded host"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), url: String(req.headers["x-original-url"] ?? req.url) };
      }
    },
  },
  {
    what: "takes another method for GET",
    breaks: ["skipPreflight: CORS preflights pass"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), method: "GET" };
      }
    },
  },
  {
    what: "takes the left-most of X-Forwarded-For",
    breaks: [
      "behind a proxy believed by the framework's setting, every",
      "behind a proxy believed by the framework's setting, what",
      "CVE-2026-18174 (@fastify/forwarded): a tab",
      "CVE-2026-110724, CVE-2026-108162, CVE-2026-23848, chi",
    ],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        const http = super.describe(req);
        return { ...http, ip: (req.app.proxied ? http.header("x-forwarded-for") : undefined)?.split(",")[0] ?? http.socketAddress };
      }
    },
  },
  {
    what: "believes X-Forwarded-For of anybody",
    breaks: ["X-Forwarded-For of a client", "CVE-2025-59152 (Litestar): by default"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        const http = super.describe(req);
        return { ...http, ip: http.header("x-forwarded-for")?.split(",").at(-1) ?? http.ip };
      }
    },
  },
  {
    what: "takes the proxy for the client",
    breaks: [
      "CVE-2026-30827 (express-rate-limit): IPv4 clients",
      "express-rate-limit #667: an IPv6",
      "GHSA-5847-rm3g-23mw (openclaw): 1.2.3.4 and",
      "CVE-2026-45364 (better-auth): addresses of",
      "CVE-2026-47674, CVE-2026-39409, CVE-2026-24398 (hono)",
    ],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        const http = super.describe(req);
        return { ...http, ip: http.socketAddress };
      }
    },
  },
  {
    what: "loses a client whose address it cannot read",
    breaks: ["behind a proxy believed by trust: 1, what", "behind a proxy believed by trust of its network, what", "a proxy that names"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), socketAddress: undefined };
      }
    },
  },
  {
    what: "reads the first line of a field only",
    breaks: ["two lines of X-Forwarded-For", "limitByApiKey: the trimmed key's"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), header: (name) => (req.node.headersDistinct[name.toLowerCase()] ?? [])[0] };
      }
    },
  },
  {
    what: "reads fields by the case of their name",
    breaks: ["limitByApiKey: header names another"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), header: (name) => req.headers[name] as string | undefined };
      }
    },
  },
  ...forgotten.map(([option, breaks]) => ({ what: `ignores ${option}`, breaks, Adapter: forgetting(option) })),
];

function forgetting(option: keyof Options): typeof ToyAdapter {
  return class extends ToyAdapter {
    protected override options(options: Options): Options {
      const { [option]: _, ...others } = options;
      return others;
    }
  };
}
