import { type Backend, ManualClock } from "@ratelimit/core";
import { vi } from "vitest";
import type { App, Handler, Limiter, LimiterOptions, Route, Serve, Served } from "./app.ts";
import { exchange, type Reply, type Sent, send, type Underway } from "./client.ts";
import { within } from "./meanwhile.ts";
import { TableBackend } from "./table-backend.ts";

/** One promise of an adapter. `holds` throws where it is broken, so that a broken adapter can be shown to be caught. */
export interface HttpRequirement {
  readonly name: string;
  /** An adapter that takes longer than `patienceMs` (8,000) has broken it too. */
  holds(serve: Serve, patienceMs?: number): Promise<void>;
}

/** An application that listens, and the ways to speak to it. */
export interface Site {
  readonly port: number;
  get(path?: string, headers?: Sent["headers"]): Promise<Reply>;
  request(sent: Sent): Promise<Reply>;
  /** A request that its client may give up. */
  open(sent?: Sent): Underway;
  /** Raw bytes on one connection, until the server closes it. */
  exchange(text: string): Promise<string>;
}

/** What a promise is tried on: it is 2026-11-24T12:00:00Z, and time passes where the test says so. */
export interface Bench {
  readonly backend: TableBackend;
  /** `rateLimit` with 100 per minute in a bucket of 150, on the backend of the bench, unless `options` says otherwise. */
  limit(options?: LimiterOptions): Limiter;
  /** Starts an application; what it leaves out is absent, and its routes are one GET / that answers 200. */
  site(app: Partial<App>): Promise<Site>;
  pass(ms: number): void;
  /** Makes it noon again, and every bucket full. */
  renew(): void;
}

/** Noon, the moment of the tables of http.md. */
const noon = 1_795_521_600;

/** States a promise: `holds` tries it on a bench of its own. */
export function requirement(name: string, holds: (bench: Bench) => Promise<void>): HttpRequirement {
  return {
    name,
    async holds(serve, patienceMs = 8000) {
      const { bench, close } = benchOn(serve);
      try {
        await within(patienceMs, holds(bench));
      } finally {
        await close();
      }
    },
  };
}

/** The handler that says yes. */
export const ok: Handler = () => ({ status: 200, body: "ok" });

/** A route that answers GET. */
export function route(path: string, limiters: readonly Limiter[] = [], handler: Handler = ok): Route {
  return { method: "get", path, limiters, handler };
}

/** `times` requests, one after the other. */
export async function inTurn(times: number, ask: (i: number) => Promise<Reply>): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (let i = 0; i < times; i++) replies.push(await ask(i));
  return replies;
}

export function statuses(replies: readonly Reply[]): number[] {
  return replies.map(({ status }) => status);
}

const bare: App = { proxied: false, fields: {}, early: () => {}, limiters: [], routes: [route("/")], mount: "" };

const policyOptions = ["limiter", "config", "limits", "rate"] as const;

function benchOn(serve: Serve): { bench: Bench; close: () => Promise<void> } {
  const clock = new ManualClock();
  const backend = new TableBackend(clock);
  const open: Served[] = [];
  let unixMs = noon * 1000;
  const date = vi.spyOn(Date, "now").mockImplementation(() => unixMs);
  const bench: Bench = {
    backend,
    limit: (options = {}) => ({ call: "rateLimit", options: optionsOn(backend, options) }),
    async site(app) {
      const served = await serve({ ...bare, ...app });
      open.push(served);
      return siteAt(served.port);
    },
    pass(ms) {
      clock.advance(ms);
      unixMs += ms;
    },
    renew() {
      backend.clear();
      unixMs = noon * 1000;
    },
  };
  return {
    bench,
    async close() {
      await Promise.all(open.map((served) => served.close()));
      date.mockRestore();
      backend.close();
    },
  };
}

function optionsOn(backend: Backend, options: LimiterOptions): LimiterOptions {
  if (options.limiter !== undefined) return options;
  const policy = policyOptions.some((option) => options[option] !== undefined) ? {} : { rate: 100, period: 60, burst: 150 };
  return { backend, ...policy, ...options };
}

function siteAt(port: number): Site {
  return {
    port,
    get: (path = "/", headers = {}) => send(port, { path, headers }).reply,
    request: (sent) => send(port, sent).reply,
    open: (sent = {}) => send(port, sent),
    exchange: (text) => exchange(port, text),
  };
}
