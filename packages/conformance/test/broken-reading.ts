import type { HttpRequest } from "@ratelimit/core/adapter";
import type { Limiter } from "../src/index.ts";
import { type Broken, ToyAdapter, type ToyRequest } from "./toy-adapter.ts";

type Options = Limiter["options"];

/** Options that an adapter may forget to pass on, and the requirements that must catch it. */
const forgotten: readonly (readonly [option: keyof Options, breaks: readonly string[]])[] = [
  [
    "headers",
    [
      'headers: "none" discloses',
      "headers none: exactly",
      "one per hour: the",
      "several limits: lists",
      "a refusal by the daily",
      "of two equal quotas, drafts",
    ],
  ],
  [
    "cost",
    [
      "headers legacy and draft-8",
      "Retry-After: 1 rounds",
      "an expensive request",
      "a cost above the burst has",
      "drafts 6 and 7 report",
      "a refusal by one",
      "shipped by others: a cost",
    ],
  ],
  ["refund", ["refund: a login"]],
  ["limiter", ["limiter: a function may", "limiter: policies computed"]],
  ["allow", ["allow: addresses in"]],
  ["deny", ["deny: addresses in"]],
  ["ip", ["ip: the address"]],
  ["shadow", ["shadow: decides and reports", "shadow: next to another", "shadow: an outage"]],
  ["skip", ["skip: true lets", "skip: whatever it throws", "skip: a call"]],
  ["skipPreflight", ["skipPreflight: CORS preflights pass"]],
  ["excludePaths", ["excludePaths: applies to every"]],
  ["exposeHeaders", ["exposeHeaders: appends the headers"]],
  [
    "trust",
    [
      "behind a proxy trusted through trust: 1, every",
      "behind a proxy trusted through its network, every",
      "trust: false overrides",
      "several proxies are walked",
      "CVE-2026-46415 (Caddy Defender): behind",
    ],
  ],
  ["ipv6Prefix", ["ipv6Prefix sets how"]],
  ["keySecret", ["with keySecret, no"]],
  ["key", ["key: a string", "key: an object", "one limiter with two", "key: whatever it throws"]],
  ["user", ["limitByUser: user returns", "user: whatever it throws", "user: a call"]],
  ["valid", ["limitByApiKey: keys that", "limitByApiKey: a `valid` that", "valid: whatever it throws", "valid: a call"]],
  ["header", ["limitByApiKey: header names another"]],
  ["anonymous", ['anonymous: "skip" lets anonymous', 'anonymous: "refuse" answers']],
];

/** Adapters that read the request wrongly or forget an option. */
export const readsWrongly: readonly Broken[] = [
  {
    what: "fails on a malformed request",
    breaks: ["malformed or unusual"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        decodeURIComponent(req.url);
        return super.describe(req);
      }

      // To answer its error, it would have to read the request again.
      protected override answer(): boolean {
        return false;
      }
    },
  },
  {
    what: "decodes paths",
    breaks: ["excludePaths: matches exactly"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), url: req.url.replace("%68", "h") };
      }
    },
  },
  {
    what: "ignores its mount path",
    breaks: ["excludePaths: in a mounted"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), url: req.url.replace(req.app.mount, "") };
      }
    },
  },
  {
    what: "trusts forwarded headers for the path",
    breaks: ["CVE-2026-3635 (Fastify): a peer's"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), url: String(req.headers["x-original-url"] ?? req.url) };
      }
    },
  },
  {
    what: "reports another method as GET",
    breaks: ["skipPreflight: CORS preflights pass"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), method: "GET" };
      }
    },
  },
  {
    what: "reads the left-most address in X-Forwarded-For",
    breaks: [
      "behind a proxy trusted by the framework, every",
      "behind a proxy trusted by the framework, a value",
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
    what: "trusts X-Forwarded-For from any client",
    breaks: ["X-Forwarded-For from an untrusted", "CVE-2025-59152 (Litestar): X-Forwarded-For"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        const http = super.describe(req);
        return { ...http, ip: http.header("x-forwarded-for")?.split(",").at(-1) ?? http.ip };
      }
    },
  },
  {
    what: "mistakes the proxy for the client",
    breaks: [
      "CVE-2026-30827 (express-rate-limit): IPv4-mapped",
      "express-rate-limit #667: an IPv6",
      "GHSA-5847-rm3g-23mw (openclaw): 1.2.3.4 and",
      "CVE-2026-45364 (better-auth): addresses",
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
    what: "drops a client whose address it cannot parse",
    breaks: [
      "behind a proxy trusted through trust: 1, a value",
      "behind a proxy trusted through its network, a value",
      "a proxy that names",
    ],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), socketAddress: undefined };
      }
    },
  },
  {
    what: "reads only the first line of a header",
    breaks: ["two X-Forwarded-For lines", "limitByApiKey: the digest"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), header: (name) => (req.node.headersDistinct[name.toLowerCase()] ?? [])[0] };
      }
    },
  },
  {
    what: "treats header names as case-sensitive",
    breaks: ["limitByApiKey: header names another"],
    Adapter: class extends ToyAdapter {
      protected override describe(req: ToyRequest): HttpRequest {
        return { ...super.describe(req), header: (name) => req.headers[name] as string | undefined };
      }
    },
  },
  {
    what: "gives clients without a key one bucket",
    breaks: ['key: "" means'],
    Adapter: class extends ToyAdapter {
      protected override options({ key, ...options }: Options): Options {
        return key === undefined ? options : { ...options, key: async (req) => (await key(req)) || "nobody" };
      }
    },
  },
  {
    what: "shows the request in its error page",
    breaks: ["no error shows"],
    Adapter: class extends ToyAdapter {
      protected override fail(req: ToyRequest): void {
        this.send(req.res, { status: 500, body: `Cannot serve ${req.url}` });
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
