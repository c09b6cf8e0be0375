import { MemoryBackend } from "@ratelimit/backend-memory";
import { backendSuite } from "@ratelimit/conformance";
import { ManualClock } from "@ratelimit/core";
import { describe, test } from "vitest";

describe("with a clock that the test moves", () => {
  backendSuite(test, () => {
    const clock = new ManualClock(1_000_000.5);
    return { backend: new MemoryBackend({ clock }), clock };
  });
});

describe("with the clock of the process", () => {
  backendSuite(test, () => ({ backend: new MemoryBackend() }), { liveClock: true });
});
