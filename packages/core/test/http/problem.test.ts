import { definePolicy } from "@ratelimit/core";
import { expect, test } from "vitest";
import { toResult } from "../../src/decision/result.ts";
import { problemOfResult } from "../../src/http/response/problem-details.ts";

const one = definePolicy({ rate: 100, period: 60, burst: 150 });
const two = definePolicy({
  limits: [
    { name: "burst", rate: 100, period: 60, burst: 150 },
    { name: "daily", rate: 10_000, period: 86_400 },
  ],
});

const quota = "https://iana.org/assignments/http-problem-types#quota-exceeded";

test("a refusal's body matches http.md byte for byte", () => {
  expect(problemOfResult(toResult(one, { allowed: false, used: 90_000 }, 1), ["default"])).toEqual({
    status: 429,
    body: `{"type":"${quota}","title":"Quota Exceeded","status":429,"detail":"Retry in 1 second.","retryAfter":1,"violated-policies":["default"]}`,
  });
});

test("a refusal's body names the limits that refused, using the given names", () => {
  const refusedByDaily = toResult(two, { allowed: false, used: [41_700, 86_397_840] }, 1);
  expect(problemOfResult(refusedByDaily, ["burst", "daily"]).body).toBe(
    `{"type":"${quota}","title":"Quota Exceeded","status":429,"detail":"Retry in 7 seconds.","retryAfter":7,"violated-policies":["daily"]}`,
  );
  expect(problemOfResult(refusedByDaily, ["burst", "daily2"]).body).toContain('"violated-policies":["daily2"]');
  const refusedByBoth = toResult(two, { allowed: false, used: [90_000, 86_400_000] }, 1);
  expect(problemOfResult(refusedByBoth, ["burst", "daily"]).body).toContain('"violated-policies":["burst","daily"]');
});

test("a refusal that waiting cannot help is a 403 of a type of its own, without retryAfter", () => {
  expect(problemOfResult(toResult(one, { allowed: false, used: 0 }, 151), ["default"])).toEqual({
    status: 403,
    body: '{"type":"urn:ratelimit:problem:impossible","title":"Never Admitted","status":403,"detail":"This request costs more than the limit ever allows."}',
  });
});

test("an outage is a 503 that names no limit", () => {
  expect(problemOfResult(toResult(two, { allowed: false, used: 0, source: "closed" }, 1), [])).toEqual({
    status: 503,
    body: '{"type":"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity","title":"Temporary Reduced Capacity","status":503,"detail":"Retry in 1 second.","retryAfter":1}',
  });
});

test.each([
  [1, 1, "Retry in 1 second."],
  [1000, 1, "Retry in 1 second."],
  [1001, 2, "Retry in 2 seconds."],
])("a wait of %i ms is reported as %i s", (used, retryAfter, detail) => {
  const onePerSecond = definePolicy({ rate: 1, period: 1 });
  const { body } = problemOfResult(toResult(onePerSecond, { allowed: false, used }, 1), ["default"]);
  expect(JSON.parse(body)).toMatchObject({ retryAfter, detail });
});
