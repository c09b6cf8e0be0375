/** A program that runs in several processes with one leased limit. It keeps making calls, and reports what was decided at once. */
import { RedisBackend, type RedisBackendOptions } from "@ratelimit/backend-redis";
import type { Recorded } from "@ratelimit/conformance";
import { RateLimiter } from "@ratelimit/core";
import type { DecisionSource } from "@ratelimit/core/backend";
import { monotonic } from "./clock.ts";

/** The work of one process. */
export interface LeaserJob {
  readonly backend: RedisBackendOptions;
  readonly name: string;
  readonly limit: { readonly rate: number; readonly period: 1; readonly burst: number };
  readonly lease: string;
  readonly perSecond: number;
}

/** An admitted call. Times are those of `monotonic`. */
export interface Admitted extends Recorded {
  readonly source: DecisionSource;
}

/** What was decided in one turn of the event loop. */
export interface LeaserReport {
  readonly admitted: readonly Admitted[];
  /** The sources of all decisions, refusals included. */
  readonly sources: readonly (DecisionSource | "error")[];
}

const everyMs = 5;

process.once("message", ({ backend: options, limit, name, lease, perSecond }: LeaserJob) => {
  const backend = new RedisBackend({ ...options, onOutage: () => {} });
  const limiter = new RateLimiter({ ...limit, name, lease, backend });
  const pending = new Set<Promise<void>>();
  let [admitted, sources]: [Admitted[], (DecisionSource | "error")[]] = [[], []];

  // One message for all decisions of a turn: a message each would keep a core busy.
  const report = (): void => {
    if (sources.length > 0) process.send?.({ admitted, sources } satisfies LeaserReport);
    [admitted, sources] = [[], []];
  };
  const ask = async (): Promise<void> => {
    const from = monotonic();
    const result = await limiter.check("key").catch(() => undefined);
    if (sources.length === 0) setImmediate(report);
    sources.push(result?.source ?? "error");
    if (result?.allowed) admitted.push({ key: "key", from, to: monotonic(), cost: 1, outcome: "admitted", source: result.source });
  };

  const startedAt = monotonic();
  let asked = 0;
  // A process that was suspended makes all the calls that it missed at once.
  const timer = setInterval(() => {
    for (const due = ((monotonic() - startedAt) * perSecond) / 1000; asked < due; asked++) {
      const call = ask().finally(() => pending.delete(call));
      pending.add(call);
    }
  }, everyMs);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await Promise.all(pending);
    await backend.close();
    report();
    process.disconnect();
  };
  process.once("message", () => void stop());
});
