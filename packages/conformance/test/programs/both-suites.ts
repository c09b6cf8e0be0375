import assert from "node:assert/strict";
import { ManualClock } from "@ratelimit/core";
import {
  backendRequirements,
  backendSuite,
  httpRequirements,
  httpSuite,
  type MakeBackend,
  type RegisterTest,
  RequirementError,
  type Serve,
} from "../../src/index.ts";
import { answersWrongly } from "../broken-answers.ts";
import { brokenBackends } from "../broken-backends.ts";
import { judgesWrongly } from "../broken-judging.ts";
import { readsWrongly } from "../broken-reading.ts";
import { ToyAdapter } from "../toy-adapter.ts";
import { ToyBackend } from "../toy-backend.ts";

/** Two requirements load core a second time. Outside Vitest only a built one can be loaded. */
const isBuilt = process.env["TEST_SHIPPED"] !== undefined;

/** Runs both suites on correct toys with another test runner, and lets it see that each broken toy is caught. */
export function proveWith(test: RegisterTest): void {
  backendSuite(test, making(ToyBackend));
  httpSuite((name, ...rest) => (isBuilt || !name.startsWith("two copies of core") ? test(name, ...rest) : undefined), by(ToyAdapter));
  for (const { what, Backend, breaks } of brokenBackends)
    test(
      `caught: a backend that ${what}`,
      () => caught(backendRequirements, breaks, (requirement) => requirement.verify(making(Backend))),
      60_000,
    );
  for (const { what, Adapter, breaks } of [...answersWrongly, ...judgesWrongly, ...readsWrongly])
    test(
      `caught: an adapter that ${what}`,
      () => caught(httpRequirements, breaks, (requirement) => requirement.verify(by(Adapter), 250)),
      60_000,
    );
}

async function caught<T extends { readonly name: string }>(
  requirements: readonly T[],
  breaks: readonly string[],
  verify: (requirement: T) => Promise<void>,
): Promise<void> {
  for (const words of breaks) {
    const requirement = requirements.find(({ name }) => name.startsWith(words));
    assert.ok(requirement, words);
    // The class of an error may come from another realm than `assert`'s.
    await assert.rejects(verify(requirement), (error) => error instanceof RequirementError && error.message.includes(requirement.name));
  }
}

function making(Backend: typeof ToyBackend): MakeBackend {
  return () => {
    const clock = new ManualClock();
    return { backend: new Backend(clock), clock };
  };
}

function by(Adapter: typeof ToyAdapter): Serve {
  return (app) => new Adapter().serve(app);
}
