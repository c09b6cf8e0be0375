import { type Backend, ManualClock } from "@ratelimit/core";
import { vi } from "vitest";
import type { App, Handler, Limiter, LimiterOptions, Route, Serve, Served } from "./app.ts";
import { exchange, type Reply, type Sent, send, type Underway } from "./client.ts";
import { within } from "./meanwhile.ts";
import { TableBackend } from "./table-backend.ts";

/** One requirement for adapters. `holds` throws if an adapter breaks it, so tests can prove that broken adapters are caught. */
export interface HttpRequirement {
  readonly name: string;
  /** An adapter also breaks the requirement if it takes longer than `patienceMs` milliseconds (default 8,000). */
  holds(serve: Serve, patienceMs?: number): Promise<void>;
}

/** A listening application, and ways to send it requests. */
export interface Site {
  readonly port: number;
  get(path?: string, headers?: Sent["headers"]): Promise<Reply>;
  request(sent: Sent): Promise<Reply>;
  /** Sends a request that the client may abort. */
  open(sent?: Sent): Underway;
  /** Sends raw bytes on one connection, and returns all that comes back until the server closes it. */
  exchange(text: string): Promise<string>;
}

/** The tools a requirement is tested with. The clock starts at 2026-11-24T12:00:00Z and moves only when the test moves it. */
export interface Bench {
  readonly backend: TableBackend;
  /** Returns a `rateLimit` call on the bench's backend: by default 100 per minute with a burst of 150. */
  limit(options?: LimiterOptions): Limiter;
  /** Starts an application. By default it has one route, `GET /`, that answers 200, and nothing else. */
  site(app: Partial<App>): Promise<Site>;
  pass(ms: number): void;
  /** Sets the clock back to noon and fills every bucket. */
  renew(): void;
}

/** Noon, the time used in the tables of http.md. */
const noon = 1_795_521_600;

/** Defines a requirement that `holds` tests on a fresh bench. */
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

/** A handler that always answers 200. */
export const ok: Handler = () => ({ status: 200, body: "ok" });

/** Creates a route that answers GET. */
export function route(path: string, limiters: readonly Limiter[] = [], handler: Handler = ok): Route {
  return { method: "get", path, limiters, handler };
}

/** Sends `times` requests, one after the other. */
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
