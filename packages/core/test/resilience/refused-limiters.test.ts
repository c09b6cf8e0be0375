import { setTimeout as sleep } from "node:timers/promises";
import { type OutageClass, type OutageEvent, RateLimitError, RateLimiter, resilient } from "@ratelimit/core";
import type { KeyScope } from "@ratelimit/core/backend";
import { expect, test } from "vitest";
import { LateBackend } from "../support/backends.ts";

/** A backend that refuses limiters with certain prefixes, or answers no call at all. */
class Choosy extends LateBackend {
  readonly refused = new Set<string>();
  isOut = false;

  override async take(scope: KeyScope, key: string, cost: number): ReturnType<LateBackend["take"]> {
    if (this.isOut) throw new RateLimitError("BACKEND", "refused to connect");
    if (this.refused.has(scope.prefix)) throw new RateLimitError("BACKEND", "no right to the keys");
    return super.take(scope, key, cost);
  }
}

function classOf(error: unknown): OutageClass {
  return error instanceof Error && error.message.startsWith("no right") ? "limiter" : "connection";
}

function three(): {
  backend: Choosy;
  events: OutageEvent[];
  limiters: Record<"good" | "bad" | "worse", RateLimiter>;
  close: () => Promise<void>;
} {
  const backend = new Choosy();
  const events: OutageEvent[] = [];
  const decided = resilient(backend, { onOutage: (event) => events.push(event) }, { classOf });
  const limiter = (name: string): RateLimiter => new RateLimiter({ name, rate: 100, backend: decided });
  return {
    backend,
    events,
    limiters: { good: limiter("good"), bad: limiter("bad"), worse: limiter("worse") },
    close: () => decided.close(),
  };
}

const bad = "ratelimit:bad:";
const worse = "ratelimit:worse:";

test("a refused limiter is decided by `outage`, all others by the backend", async () => {
  const { backend, events, limiters, close } = three();
  backend.refused.add(bad);
  for (let i = 0; i < 20; i++) {
    expect((await limiters.bad.check("key")).source).toBe("local");
    expect((await limiters.good.check("key")).source).toBe("backend");
  }
  expect(events).toEqual([{ class: "limiter", source: "local", suppressed: 0, reason: "no right to the keys", prefix: bad }]);
  await close();
});

test("the end is reported once no limiter is refused", async () => {
  const { backend, events, limiters, close } = three();
  backend.refused.add(bad).add(worse);
  for (const limiter of [limiters.bad, limiters.worse, limiters.bad]) expect((await limiter.check("key")).source).toBe("local");
  backend.refused.delete(bad);
  expect((await limiters.bad.check("key")).source).toBe("backend");
  expect(events.filter(({ recovered }) => recovered)).toEqual([]);
  backend.refused.clear();
  for (let i = 0; i < 3; i++) expect((await limiters.worse.check("key")).source).toBe("backend");
  expect(events.slice(1)).toEqual([{ class: "limiter", source: "local", suppressed: 2, recovered: true }]);
  await close();
});

test("an outage of the server has its own event and end, whatever happens to the limiter", async () => {
  const { backend, events, limiters, close } = three();
  backend.refused.add(bad);
  await limiters.bad.check("key");
  backend.isOut = true;
  await limiters.good.check("key");
  backend.isOut = false;
  while ((await limiters.good.check("key")).source !== "backend") await sleep(5);
  expect((await limiters.bad.check("key")).source).toBe("local");
  expect(events.map(({ class: kind, recovered = false }) => [kind, recovered])).toEqual([
    ["limiter", false],
    ["connection", false],
    ["connection", true],
  ]);
  await close();
});

test("a probe for a refused limiter still detects that the server is back", async () => {
  const { backend, events, limiters, close } = three();
  backend.refused.add(bad);
  backend.isOut = true;
  await limiters.bad.check("key");
  backend.isOut = false;
  const backAt = performance.now();
  while ((await limiters.good.check("key")).source !== "backend") await sleep(5);
  expect(performance.now() - backAt).toBeLessThan(1000);
  expect(events.filter(({ recovered }) => recovered)).toHaveLength(1);
  await close();
});
