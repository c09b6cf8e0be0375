import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, type PolicyOptions, RateLimiter } from "@ratelimit/core";
import type { Awaitable } from "@ratelimit/core/backend";

/** A backend under test, and a way to advance its clock. */
export interface Subject {
  readonly backend: Backend;
  /** Moves the backend's clock by whole milliseconds, backwards if negative. Absent if the clock runs by itself. */
  readonly clock?: { advance(ms: number): Awaitable<void> } | undefined;
  /** Releases everything that was created along with the backend. The suite closes the backend itself. */
  dispose?(): Awaitable<void>;
}

/** Creates a fresh subject for each requirement. They may share a store, because no two limiters of the suite share a name. */
export type MakeBackend = () => Awaitable<Subject>;

/** The tools a requirement is tested with. */
export interface Bench {
  readonly backend: Backend;
  /** Whether the clock moves only when the test moves it. */
  readonly stands: boolean;
  /** Creates a limiter on the backend, with an unused name unless one is given. */
  limiter(policy: PolicyOptions, name?: string): RateLimiter;
  /** Lets `ms` milliseconds pass: exactly on a test clock, at least that long on a live one. */
  pass(ms: number): Promise<void>;
  /** Milliseconds that have passed, as precisely as the test can measure. */
  now(): number;
}

/** One requirement for backends. `holds` throws if a backend breaks it, so tests can prove that broken backends are caught. */
export interface BackendRequirement {
  readonly name: string;
  /** `"standing"` can only be tested on a clock that the test moves, `"any"` on a live clock too. */
  readonly clock: "standing" | "any";
  holds(make: MakeBackend): Promise<void>;
}

/** Defines a requirement that `holds` tests on a fresh backend. */
export function requirement(name: string, clock: BackendRequirement["clock"], holds: (bench: Bench) => Promise<void>): BackendRequirement {
  return {
    name,
    clock,
    async holds(make) {
      const subject = await make();
      try {
        await holds(benchOf(subject));
      } finally {
        await subject.backend.close();
        await subject.dispose?.();
      }
    },
  };
}

/** Returns a name that no other test in any process uses. */
export function unusedName(): string {
  return `${run}-${count++}`;
}

const run = randomUUID();
let count = 0;

function benchOf({ backend, clock }: Subject): Bench {
  let passed = 0;
  return {
    backend,
    stands: clock !== undefined,
    limiter: (policy, name = unusedName()) => new RateLimiter({ ...policy, backend, name }),
    async pass(ms) {
      if (clock === undefined) return liveFor(ms);
      passed += ms;
      await clock.advance(ms);
    },
    now: () => (clock === undefined ? performance.now() : passed),
  };
}

/** Waits 2 ms longer: a timer may fire 1 ms early, and a store that counts whole milliseconds may be 1 ms late. */
async function liveFor(ms: number): Promise<void> {
  const end = performance.now() + ms + 2;
  while (performance.now() < end) await sleep(Math.max(1, end - performance.now()));
}
