import { ManualClock } from "@ratelimit/core";
import { describe, expect, test, vi } from "vitest";
import { type BackendRequirement, backendRequirements, backendSuite, type MakeBackend } from "../src/index.ts";
import { brokenBackends } from "./broken-backends.ts";
import { ToyBackend } from "./toy-backend.ts";

// Random traces catch some broken backends only by chance; this seed catches them all.
vi.hoisted(() => {
  process.env["FAST_CHECK_SEED"] ??= "20261124";
});

function making(Backend: typeof ToyBackend): MakeBackend {
  return () => {
    const clock = new ManualClock();
    return { backend: new Backend(clock), clock };
  };
}

function requirementThatBegins(words: string): BackendRequirement {
  const found = backendRequirements.filter(({ name }) => name.startsWith(words));
  expect(found, `requirements that begin with "${words}"`).toHaveLength(1);
  return found[0] as BackendRequirement;
}

describe("a correct toy backend meets every requirement", () => backendSuite(test, making(ToyBackend)));

for (const { what, Backend, breaks } of brokenBackends) {
  describe(`a backend that ${what}`, () => {
    test.each(breaks)("is caught by: %s …", async (words) => {
      await expect(requirementThatBegins(words).verify(making(Backend))).rejects.toThrow();
    });
  });
}

test("every requirement catches at least one broken backend", () => {
  const catching = new Set(brokenBackends.flatMap(({ breaks }) => breaks.map((words) => requirementThatBegins(words).name)));
  expect(backendRequirements.map(({ name }) => name).filter((name) => !catching.has(name))).toEqual([]);
});
