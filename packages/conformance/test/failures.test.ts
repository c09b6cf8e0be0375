import { readFileSync } from "node:fs";
import { ManualClock } from "@ratelimit/core";
import { expect, test } from "vitest";
import { backendRequirements, httpRequirements, RequirementError } from "../src/index.ts";
import { answersWrongly } from "./broken-answers.ts";
import { brokenBackends } from "./broken-backends.ts";
import { judgesWrongly } from "./broken-judging.ts";
import { readsWrongly } from "./broken-reading.ts";
import { ToyAdapter } from "./toy-adapter.ts";
import type { ToyBackend } from "./toy-backend.ts";

/** The error with which a broken backend or adapter fails. */
async function failureOf(verifying: Promise<void> | undefined): Promise<RequirementError> {
  const error: unknown = await verifying?.then(
    () => "met",
    (error: unknown) => error,
  );
  if (!(error instanceof RequirementError)) throw new Error(`not a RequirementError: ${String(error)}`);
  return error;
}

function failureOfBackend(what: string, words: string): Promise<RequirementError> {
  const { Backend } = brokenBackends.find((broken) => broken.what === what) as { Backend: typeof ToyBackend };
  const requirement = backendRequirements.find(({ name }) => name.startsWith(words));
  const clock = new ManualClock();
  return failureOf(requirement?.verify(() => ({ backend: new Backend(clock), clock })));
}

test("the failure of a backend names the requirement and shows each call with its time and reply", async () => {
  const { message } = await failureOfBackend("prolongs a block with each refusal", "a policy with `block`");
  expect(message).toContain("Requirement not met: a policy with `block`");
  expect(message).toMatch(/^ +0 {2}limiter 1 has 1 per 1000 ms with a burst of 2, and a block of 10000 ms$/m);
  expect(message).toMatch(/^ +0 {2}limiter 1: take\("key", 1\) -> refused, 2000 units in use, blocked for 10000 ms$/m);
  expect(message).toMatch(/^ +0 {2}4000 ms pass$/m);
  expect(message).toMatch(/^ +4000 {2}limiter 1: take\("key", 1\) -> refused, 0 units in use, blocked for 10000 ms$/m);
});

test("the failure of a property shows the simplest random value that fails, its calls alone, and how to repeat it", async () => {
  const { message, cause } = await failureOfBackend("takes an extra token per call", "take(a) then take(b)");
  expect(message).toContain("with the random value [");
  expect(message).toMatch(/Repeat it with FAST_CHECK_SEED=-?\d+ in the environment\./);
  expect(message.match(/take\("/g)?.length).toBeLessThan(8);
  expect((cause as Error).cause).toMatchObject({ code: "ERR_ASSERTION" });
});

test("the failure of an adapter names the requirement, its applications, and each request with its response", async () => {
  const broken = answersWrongly.find(({ what }) => what === "writes its own reason phrase");
  const Adapter = broken?.Adapter ?? ToyAdapter;
  const requirement = httpRequirements.find(({ name }) => name.startsWith("a refusal is a"));
  const { message } = await failureOf(requirement?.verify((app) => new Adapter().serve(app)));
  expect(message).toContain("Requirement not met: a refusal is a");
  expect(message).toMatch(/^ +0 {2}an application listens on port \d+:$/m);
  expect(message).toMatch(/^ +0 {2} {2}every request: rateLimit\(\{ .*rate: \d+/m);
  expect(message).toMatch(/^ +0 {2}\d+ GET \/.* -> 429 Slow Down, .*retry-after: \d+/m);
});

test("the failure of a backend whose store is gone shows the store's error, even if closing fails too", async () => {
  const fail = (what: string) => (): never => {
    throw new Error(what);
  };
  const gone = fail("no connection");
  const backend = { take: gone, adjust: gone, block: gone, reset: gone, close: fail("cannot close") };
  const requirement = backendRequirements.find(({ name }) => name.startsWith("of two calls"));
  const { message } = await failureOf(requirement?.verify(() => ({ backend })));
  expect(message).toMatch(/^ +[\d.]+ {2}limiter 1: take\("key", 1\) -> failed: no connection$/m);
});

test("the README says how many broken backends and adapters are caught", () => {
  const adapters = [answersWrongly, judgesWrongly, readsWrongly].flat();
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  expect(readme).toContain(`${brokenBackends.length} broken backends and ${adapters.length} broken adapters`);
});
