import { subscribe } from "node:diagnostics_channel";
import { request } from "node:http";
import { RedisBackend } from "@ratelimit/backend-redis";
import { type BreakerMessage, type OutageClass, RateLimiter } from "@ratelimit/core";
import { prove } from "../bench.ts";
import type { Framework } from "../http/servers.ts";
import type { Address } from "../redis/subjects.ts";
import type { Answers } from "../worker.ts";
import { clock } from "./clock.ts";
import { fields, type Kind, rules, servers } from "./rules.ts";
import { type SharedLimit, serve } from "./servers.ts";
import { type Span, Stalls } from "./stalls.ts";

export interface Setup {
  readonly framework: Framework;
  readonly sentinels: readonly Address[];
  /** The name by which the Sentinels know the master. */
  readonly master: string;
}

/** What must not happen in a process. */
export interface Mishaps {
  readonly unhandled: number;
  readonly warnings: number;
}

/** An event of `onOutage`. */
export interface TimedEvent {
  readonly at: number;
  readonly class: OutageClass;
  /** Set if it reports a recovery: from an outage in which calls were kept away from Redis, or from a few late answers. */
  readonly ended?: "outage" | "passing";
}

/** The process of one server. */
export async function open({ framework, sentinels, master }: Setup): Promise<Answers> {
  const mishaps = watchMishaps();
  const stalls = new Stalls();
  const events: TimedEvent[] = [];
  let wasOpen = false;
  subscribe("ratelimit:breaker", (message) => {
    wasOpen ||= (message as BreakerMessage).isOpen;
  });
  const backend = new RedisBackend({
    sentinels,
    name: master,
    instances: servers.length,
    onOutage: ({ class: kind, recovered }) => {
      const ended = wasOpen ? "outage" : "passing";
      events.push({ at: clock(), class: kind, ...(recovered && { ended }) });
      if (recovered) wasOpen = false;
    },
  });
  const { port } = await serve[framework](limitOn(backend));
  return {
    prove: () => prove(`${framework} on Redis`, async () => (await statusOf(port, "proof", framework)) === 200),
    port: () => port,
    rss: () => process.memoryUsage.rss(),
    /** Returns the size of the objects in use, in bytes. */
    liveHeap: () => {
      for (let i = 0; i < 2; i++) globalThis.gc?.();
      return process.memoryUsage().heapUsed;
    },
    events: ({ since }: { since: number }) => events.filter(({ at }) => at >= since),
    /** Returns when this process did not run during a span. */
    stalls: (span: Span) => stalls.during(span),
    mishaps: () => mishaps,
  };
}

/** Returns a limit that takes its limiter and its key from the headers of each request. */
export function limitOn(backend: RedisBackend): SharedLimit {
  const limiters = new Map(
    Object.entries(rules).map(([kind, rule]) => [kind, new RateLimiter({ ...rule, name: `soak-${kind}`, backend })]),
  );
  return {
    limiter: ({ headers }) => limiters.get(headers[fields.kind] as Kind) as RateLimiter,
    key: ({ headers }) => headers[fields.key] as string,
  };
}

/** Counts unhandled rejections, uncaught exceptions and warnings of this process from now on. */
export function watchMishaps(): Mishaps {
  const mishaps = { unhandled: 0, warnings: 0 };
  const unhandled = (error: unknown): void => {
    mishaps.unhandled++;
    console.error(error);
  };
  process.on("unhandledRejection", unhandled);
  process.on("uncaughtException", unhandled);
  process.on("warning", () => {
    mishaps.warnings++;
  });
  return mishaps;
}

function statusOf(port: number, kind: Kind, key: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, headers: { [fields.kind]: kind, [fields.key]: key } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    call.on("error", reject);
    call.end();
  });
}
