import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, type PolicyOptions, RateLimiter } from "@ratelimit/core";
import type { Awaitable } from "@ratelimit/core/backend";
import { RequirementError, Trace } from "../trace.ts";
import { recorded } from "./recorded.ts";

/** A backend under test, and a way to advance its clock. */
export interface BackendUnderTest {
  readonly backend: Backend;
  /** Moves the backend's clock by whole milliseconds, backwards if negative. Absent if the clock runs by itself. */
  readonly clock?: { advance(ms: number): Awaitable<void> } | undefined;
  /** Releases everything that was created along with the backend. The suite closes the backend itself. */
  dispose?(): Awaitable<void>;
}

/** Creates a backend for each requirement. They may share a store, because no two limiters of the suite share a name. */
export type MakeBackend = () => Awaitable<BackendUnderTest>;

/** The tools a requirement is tested with. */
export interface Fixture {
  readonly backend: Backend;
  /** What a failure shows: the calls of the backend, and the time that passed. */
  readonly trace: Trace;
  /** How many random values a property tries, as a factor of its usual number. */
  readonly runs: number;
  /** Whether the clock moves only when the test moves it. */
  readonly isManual: boolean;
  /** Creates a limiter on the backend, with an unused name unless one is given. */
  limiter(policy: PolicyOptions, name?: string): RateLimiter;
  /** Lets `ms` milliseconds pass: exactly on a test clock, at least that long on a live one. */
  pass(ms: number): Promise<void>;
  /** Milliseconds that have passed, as precisely as the test can measure. */
  now(): number;
}

/** One requirement for backends. `verify` throws if a backend breaks it, so tests can prove that broken backends are caught. */
export interface BackendRequirement {
  readonly name: string;
  /** `"manual clock"` can only be tested on a clock that the test moves, `"any"` on a live clock too. */
  readonly clock: "manual clock" | "any";
  /** `runs` multiplies the number of random values that a property tries. */
  verify(make: MakeBackend, runs?: number): Promise<void>;
}

/** Defines a requirement that `verify` tests on a fresh backend. */
export function requirement(
  name: string,
  clock: BackendRequirement["clock"],
  verify: (fixture: Fixture) => Promise<void>,
): BackendRequirement {
  return {
    name,
    clock,
    async verify(make, runs = 1) {
      const tested = await make();
      const fixture = fixtureOf(tested, runs);
      try {
        await verify(fixture);
        await tested.backend.close();
      } catch (error) {
        await closeAnyway(tested.backend);
        throw new RequirementError(name, fixture.trace, error);
      } finally {
        await tested.dispose?.();
      }
    },
  };
}

/** Closes a backend that is broken, so it may fail once more. */
async function closeAnyway(backend: Backend): Promise<void> {
  try {
    await backend.close();
  } catch {
    // The first failure is the one to report.
  }
}

/** Returns a name that no other test in any process uses. */
export function unusedName(): string {
  return `${run}-${count++}`;
}

const run = randomUUID();
let count = 0;

function fixtureOf(tested: BackendUnderTest, runs: number): Fixture {
  const { clock } = tested;
  const start = performance.now();
  let passed = 0;
  const trace = new Trace(() => (clock === undefined ? performance.now() - start : passed));
  const backend = recorded(tested.backend, trace);
  return {
    backend,
    trace,
    runs,
    isManual: clock !== undefined,
    limiter: (policy, name = unusedName()) => new RateLimiter({ ...policy, backend, name }),
    async pass(ms) {
      trace.note(`${ms} ms pass`);
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
