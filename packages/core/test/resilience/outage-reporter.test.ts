import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { processClock } from "../../src/clock.ts";
import { type OutageEvent, OutageReporter } from "../../src/resilience/outage-reporter.ts";

let now = 0;
const warnings = vi.fn<(warning: string | Error, options?: unknown) => void>();
beforeEach(() => {
  now = 0;
  warnings.mockClear();
  vi.spyOn(processClock, "now").mockImplementation(() => now);
  vi.spyOn(process, "emitWarning").mockImplementation(warnings);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Anything can be thrown, not only an Error. */
const text: unknown = "text";

const thenable = (then: () => void): object => ({ then });

function fail(message: string): never {
  throw new Error(message);
}

function listening(): { reporter: OutageReporter; events: OutageEvent[] } {
  const events: OutageEvent[] = [];
  return { reporter: new OutageReporter("local", (event) => events.push(event)), events };
}

describe("events", () => {
  test("are sent once per second and class, with the number of suppressed failures", () => {
    const { reporter, events } = listening();
    for (now = 0; now < 3000; now += 10) {
      reporter.failed("timeout", { reason: "late" });
      if (now % 20 === 0) reporter.failed("server", { reason: "OOM" });
    }
    expect(events).toEqual([
      { class: "timeout", source: "local", suppressed: 0, reason: "late" },
      { class: "server", source: "local", suppressed: 0, reason: "OOM" },
      { class: "timeout", source: "local", suppressed: 99, reason: "late" },
      { class: "server", source: "local", suppressed: 49, reason: "OOM" },
      { class: "timeout", source: "local", suppressed: 99, reason: "late" },
      { class: "server", source: "local", suppressed: 49, reason: "OOM" },
    ]);
  });

  test("report a recovery once, and only of a reported outage", () => {
    const { reporter, events } = listening();
    reporter.recovered();
    expect(events).toEqual([]);
    reporter.failed("connection", { reason: "refused" });
    reporter.failed("connection", {});
    reporter.recovered();
    reporter.recovered();
    expect(events.slice(1)).toEqual([{ class: "connection", source: "local", suppressed: 1, recovered: true }]);
  });

  test("are not sent more often if the backend flaps", () => {
    const { reporter, events } = listening();
    for (now = 0; now < 10_000; now += 50) {
      reporter.failed("connection", {});
      reporter.recovered();
    }
    expect(events.filter(({ recovered }) => !recovered)).toHaveLength(10);
    expect(events.filter(({ recovered }) => recovered)).toHaveLength(10);
  });

  test("are due if this outage has not been reported, or its reason has changed", () => {
    const { reporter } = listening();
    expect(reporter.isNews("refused")).toBe(true);
    reporter.failed("connection", { reason: "refused" });
    expect([reporter.isNews("refused"), reporter.isNews("LOADING")]).toEqual([false, true]);
    reporter.recovered();
    expect(reporter.isNews("refused")).toBe(true);
  });

  test("about one bad key carry its digest, and are not an outage", () => {
    const { reporter, events } = listening();
    reporter.failed("key", { reason: "WRONGTYPE", keyHash: "0123456789abcdef" });
    reporter.recovered();
    expect(events).toEqual([{ class: "key", source: "local", suppressed: 0, reason: "WRONGTYPE", keyHash: "0123456789abcdef" }]);
  });

  test("go to the channel, which replaces the warning", () => {
    const heard: unknown[] = [];
    const listener = (event: unknown): void => void heard.push(event);
    subscribe("ratelimit:outage", listener);
    const reporter = new OutageReporter("closed", undefined);
    reporter.failed("connection", {});
    reporter.recovered();
    unsubscribe("ratelimit:outage", listener);
    expect(heard).toEqual([
      { class: "connection", source: "closed", suppressed: 0 },
      { class: "connection", source: "closed", suppressed: 0, recovered: true },
    ]);
    expect(warnings).not.toHaveBeenCalled();
  });
});

describe("without a listener", () => {
  test("each outage causes one warning", () => {
    const reporter = new OutageReporter("local", undefined);
    for (let outage = 0; outage < 3; outage++) {
      for (let second = 0; second < 10; second++, now += 1000) {
        reporter.failed("connection", { reason: "connect ECONNREFUSED" });
        reporter.failed("timeout", {});
      }
      reporter.recovered();
    }
    expect(warnings).toHaveBeenCalledTimes(3);
    expect(warnings).toHaveBeenCalledWith(
      "The rate-limit backend is out (connection: connect ECONNREFUSED); calls are decided by this process alone until it is back",
      expect.objectContaining({ code: "RATELIMIT_OUTAGE", detail: expect.stringMatching(/errors\.md#ratelimit_outage$/) as string }),
    );
  });

  test("a refused limiter is not reported as an outage of the backend", () => {
    new OutageReporter("local", undefined).failed("limiter", { reason: "NOPERM No permissions to access a key", prefix: "elsewhere:bad:" });
    expect(warnings).toHaveBeenCalledExactlyOnceWith(
      "The backend refuses one limiter (limiter: NOPERM No permissions to access a key); its calls are decided by this process alone until it is served again",
      expect.objectContaining({ code: "RATELIMIT_OUTAGE" }),
    );
  });

  test("a backend that is occasionally late causes only one warning", () => {
    const reporter = new OutageReporter("local", undefined);
    for (let second = 0; second < 30; second++, now += 1000) {
      reporter.failed("timeout", {});
      reporter.recovered(true);
    }
    expect(warnings).toHaveBeenCalledTimes(1);
    reporter.failed("connection", {});
    reporter.recovered();
    now += 1000;
    reporter.failed("connection", {});
    expect(warnings).toHaveBeenCalledTimes(2);
  });

  test("neither a bad key nor a late answer last month uses up the warning for an outage", () => {
    const reporter = new OutageReporter("local", undefined);
    reporter.failed("key", {});
    reporter.failed("timeout", {});
    now += 30 * 86_400_000;
    reporter.failed("connection", {});
    expect(warnings).toHaveBeenCalledTimes(3);
  });

  test.each([
    ["local", "are decided by this process alone until it is back"],
    ["open", "are all admitted until it is back"],
    ["closed", "are all refused until it is back"],
    ["throw", "fail with an error until it is back"],
  ] as const)("the warning explains %s", (outage, meaning) => {
    new OutageReporter(outage, undefined).failed("timeout", {});
    expect(warnings.mock.calls[0]?.[0]).toBe(`The rate-limit backend is out (timeout); calls ${meaning}`);
  });
});

describe("a failing listener does no harm and is reported once", () => {
  const failing: readonly [what: string, fail: () => unknown, message: string][] = [
    [
      "throws an Error",
      () => {
        throw new Error("log is full");
      },
      "log is full",
    ],
    [
      "throws a non-Error",
      () => {
        throw text;
      },
      "not an Error",
    ],
    ["rejects with an Error", async () => Promise.reject(new Error("pager is down")), "pager is down"],
    ["rejects with a non-Error", () => Promise.reject(text), "not an Error"],
    ["returns a thenable that throws", () => thenable(() => fail("then")), "then"],
  ];

  test.each(failing)("onOutage %s", async (_, fails, message) => {
    const events: OutageEvent[] = [];
    const reporter = new OutageReporter("local", (event) => {
      events.push(event);
      return fails();
    });
    for (let outage = 0; outage < 3; outage++, now += 2000) {
      reporter.failed("timeout", {});
      reporter.recovered();
    }
    await turn();
    expect(events).toHaveLength(6);
    expect(warnings).toHaveBeenCalledExactlyOnceWith(
      `onOutage threw: ${message}`,
      expect.objectContaining({ code: "RATELIMIT_ON_OUTAGE_THREW" }),
    );
  });

  test.each(failing)("if a subscriber of the channel %s, the others still receive everything", async (_, fails, message) => {
    const heard: unknown[] = [];
    const broken = (): unknown => fails();
    const neighbour = (event: unknown): void => void heard.push(event);
    subscribe("ratelimit:outage", broken);
    subscribe("ratelimit:outage", neighbour);
    const reporter = new OutageReporter("local", undefined);
    reporter.failed("timeout", {});
    reporter.recovered();
    await turn();
    unsubscribe("ratelimit:outage", broken);
    unsubscribe("ratelimit:outage", neighbour);
    expect(heard).toHaveLength(2);
    expect(warnings).toHaveBeenCalledExactlyOnceWith(
      `A listener of ratelimit:outage threw: ${message}`,
      expect.objectContaining({ code: "RATELIMIT_ON_OUTAGE_THREW" }),
    );
  });
});
