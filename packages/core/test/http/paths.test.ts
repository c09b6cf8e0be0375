import { expect, test } from "vitest";
import { excludePathsRule, pathMatcher } from "../../src/http/request/paths.ts";

const excluded = pathMatcher(["/health", "/metrics", "/", "/a%20b", "/x/"]);

test.each([
  ...[
    "/health",
    "/health?",
    "/health?x=1",
    "/health?/x",
    "/health#f",
    "/health#f?x",
    "/metrics?a=b&c",
    "/",
    "/?x",
    "",
    "?x",
    "#f",
    "/a%20b",
    "/x/",
  ],
  ...[
    "http://a/health",
    "HTTPS://A:80/health?x",
    "http://[::1]:80/health",
    "http://a",
    "http://a?x",
    "http://a#f",
    "http://user:secret@a/health",
  ],
])("%j is excluded", (target) => {
  expect(excluded({ url: target })).toBe(true);
});

test.each([
  ...[
    "/health/",
    "/HEALTH",
    "/Health",
    "//health",
    "///health",
    "/healthz",
    "/healt",
    "/health/x",
    "/x/health",
    "/%68ealth",
    "/health%2F",
    "/health%3F",
  ],
  ...[
    "/./health",
    "/../health",
    "/x/../health",
    "/health;a=b",
    "/health ",
    " /health",
    "/health%00",
    "\\health",
    "/\\health",
    "/a b",
    "/x",
  ],
  ...[
    "http://a//health",
    "http:///health/",
    "http://a/health/",
    "/http://a/health",
    "x/health",
    "*",
    "health",
    "http:/health",
    "http://a;b/health",
    "http://a b/health",
    "//a/health",
  ],
])("%j is not excluded", (target) => {
  expect(excluded({ url: target })).toBe(false);
});

test("an empty list excludes nothing", () => {
  expect(["/", "", "/x"].map((url) => pathMatcher([])({ url }))).toEqual([false, false, false]);
});

test("ten thousand paths are matched as fast as one", () => {
  const many = pathMatcher(Array.from({ length: 10_000 }, (_, i) => `/path-${i}`));
  expect(["/path-9999?x", "/path-10000"].map((url) => many({ url }))).toEqual([true, false]);
});

test.each([[[]], [["/"]], [["/health", "/metrics"]], [Object.freeze(["/health"])]])("excludePaths may be %j", (paths) => {
  expect(excludePathsRule.accepts(paths)).toBe(true);
});

test.each([
  ["/health"],
  [[""]],
  [["*"]],
  [["("]],
  [["health"]],
  [["/health", "metrics"]],
  [[/health/g]],
  [[null]],
  [[1]],
  [{}],
  [null],
  [new Set(["/health"])],
])("excludePaths may not be %j", (paths) => {
  expect(excludePathsRule.accepts(paths)).toBe(false);
});
