import { type Backend, ManualClock } from "@ratelimit/core";
import { RequirementError, Trace } from "../trace.ts";
import type { App, Handler, Limiter, LimiterOptions, Route, Serve, Served } from "./app.ts";
import type { Reply } from "./client.ts";
import { TableBackend } from "./table-backend.ts";
import { type Site, tracedSite } from "./traced.ts";
import { within } from "./waiting.ts";

/** One requirement for adapters. `verify` throws if an adapter breaks it, so tests can prove that broken adapters are caught. */
export interface HttpRequirement {
  readonly name: string;
  /** An adapter also breaks the requirement if it takes longer than `timeoutMs` milliseconds (default 8,000). */
  verify(serve: Serve, timeoutMs?: number): Promise<void>;
}

export type { Site } from "./traced.ts";

/** The tools a requirement is tested with. The clock starts at 2026-11-24T12:00:00Z and moves only when the test moves it. */
export interface Fixture {
  readonly backend: TableBackend;
  /** Returns a `rateLimit` call on the fixture's backend: by default 100 per minute with a burst of 150. */
  limit(options?: LimiterOptions): Limiter;
  /** Starts an application. By default it has one route, `GET /`, that answers 200, and nothing else. */
  site(app: Partial<App>): Promise<Site>;
  pass(ms: number): void;
  /** Sets the clock back to noon and fills every bucket. */
  renew(): void;
}

/** Noon, the time used in the tables of http.md. */
const noon = 1_795_521_600;

/** Defines a requirement that `verify` tests on a fresh fixture. */
export function requirement(name: string, verify: (fixture: Fixture) => Promise<void>): HttpRequirement {
  return {
    name,
    async verify(serve, timeoutMs = 8000) {
      const { fixture, trace, close } = fixtureOn(serve);
      try {
        await within(timeoutMs, verify(fixture));
      } catch (error) {
        throw new RequirementError(name, trace, error);
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

function fixtureOn(serve: Serve): { fixture: Fixture; trace: Trace; close: () => Promise<void> } {
  const clock = new ManualClock();
  const backend = new TableBackend(clock);
  const open: Served[] = [];
  let unixMs = noon * 1000;
  const trace = new Trace(() => unixMs - noon * 1000);
  const realNow = Date.now;
  Date.now = () => unixMs;
  const fixture: Fixture = {
    backend,
    limit: (options = {}) => ({ call: "rateLimit", options: optionsOn(backend, options) }),
    async site(app) {
      const whole = { ...bare, ...app };
      const served = await serve(whole);
      open.push(served);
      return tracedSite(served.port, whole, trace);
    },
    pass(ms) {
      trace.note(`${ms} ms pass`);
      clock.advance(ms);
      unixMs += ms;
    },
    renew() {
      trace.note("the clock is set back to noon, and every bucket is full");
      backend.clear();
      unixMs = noon * 1000;
    },
  };
  return {
    fixture,
    trace,
    async close() {
      await Promise.all(open.map((served) => served.close()));
      Date.now = realNow;
      backend.close();
    },
  };
}

function optionsOn(backend: Backend, options: LimiterOptions): LimiterOptions {
  if (options.limiter !== undefined) return options;
  const policy = policyOptions.some((option) => options[option] !== undefined) ? {} : { rate: 100, period: 60, burst: 150 };
  return { backend, ...policy, ...options };
}
