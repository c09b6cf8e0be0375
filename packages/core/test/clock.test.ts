import { ManualClock, RateLimiter } from "@ratelimit/core";
import { expect, test } from "vitest";
import { tableBackend } from "./support/backends.ts";
import { caught } from "./support/caught.ts";

test("a ManualClock stands still until it is moved", () => {
  const clock = new ManualClock(5);
  const seen = [clock.now(), clock.now()];
  for (const ms of [10, 0.5, -20, 0]) {
    clock.advance(ms);
    seen.push(clock.now());
  }
  expect(seen).toEqual([5, 5, 15, 15.5, -4.5, -4.5]);
  expect(new ManualClock().now()).toBe(0);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, "5", null, 5n, {}])("%o is rejected as a time", (ms) => {
  const clock = new ManualClock();
  const { code, message } = caught(() => clock.advance(ms as number));
  expect([code, message]).toEqual(["INVALID_OPTION", expect.stringMatching(/^Expected `ms` to be a finite number of milliseconds, got /)]);
  expect(caught(() => new ManualClock(ms as number)).message).toMatch(/^Expected `startMs` to be a finite number/);
  expect(clock.now()).toBe(0);
});

test("a ManualClock makes a limit exact, from any origin", () => {
  for (const start of [0, -1e9, 1e15, 0.75]) {
    const clock = new ManualClock(start);
    const limiter = new RateLimiter({ rate: 1, period: 1, backend: tableBackend(clock) });
    const admitted = [0, 999, 1].map((ms) => {
      clock.advance(ms);
      return limiter.checkSync("key").allowed;
    });
    expect(admitted).toEqual([true, false, true]);
  }
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, "now", undefined])("a clock that reads %s is rejected", (now) => {
  expect(caught(() => tableBackend({ now: () => now as number }))).toMatchObject({ code: "INVALID_OPTION" });
});
