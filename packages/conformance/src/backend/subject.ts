import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, type PolicyOptions, RateLimiter } from "@ratelimit/core";
import type { Awaitable } from "@ratelimit/core/backend";

/** A backend that is held against a promise, and the hand on its clock. */
export interface Subject {
  readonly backend: Backend;
  /** Moves the backend's clock by whole milliseconds, back if negative; absent where it runs by itself. */
  readonly clock?: { advance(ms: number): Awaitable<void> } | undefined;
  /** Gives up what was made beside the backend, which the suite closes itself. */
  dispose?(): Awaitable<void>;
}

/** Makes a fresh subject for each promise; a store may be the same one, for no two limiters of the suite share a name. */
export type MakeBackend = () => Awaitable<Subject>;

/** What a promise is tried on. */
export interface Bench {
  readonly backend: Backend;
  /** Whether only the test moves the clock. */
  readonly stands: boolean;
  /** A limiter on the backend; of a name that nobody else uses, unless one is given. */
  limiter(policy: PolicyOptions, name?: string): RateLimiter;
  /** Lets `ms` pass: to the millisecond where the clock stands, otherwise at the least. */
  pass(ms: number): Promise<void>;
  /** Milliseconds that passed, as near as the test can tell. */
  now(): number;
}

/** One promise of a backend. `holds` throws where it is broken, so that a broken backend can be shown to be caught. */
export interface BackendRequirement {
  readonly name: string;
  /** "standing": can only be tried where the test moves the clock. "any": holds on a live clock too. */
  readonly clock: "standing" | "any";
  holds(make: MakeBackend): Promise<void>;
}

/** States a promise: `holds` tries it on a backend of its own. */
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

/** Text that no other test of any process uses. */
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

/** Timers may be early by a millisecond, and a store that counts whole ones may be late by another. */
async function liveFor(ms: number): Promise<void> {
  const end = performance.now() + ms + 2;
  while (performance.now() < end) await sleep(Math.max(1, end - performance.now()));
}
