import { expect, test } from "vitest";
import { homePage } from "../src/home.ts";
import { type Page, readPages, slug } from "../src/pages.ts";
import { stagedText } from "../src/stage.ts";

const pages = readPages();

function staged(source: string, text: string): string {
  const page = pages.find((page) => page.source === source) as Page;
  return stagedText({ ...page, text }, pages)
    .split("\n")
    .slice(4)
    .join("\n");
}

test.for([
  ["README.md", "[a](docs/redis.md)", "[a](./redis.md)"],
  ["README.md", "[a](docs/decisions/README.md)", "[a](./decisions/index.md)"],
  ["README.md", "[a](LICENSE)", "[a](https://github.com/ratelimit/ratelimit/blob/main/LICENSE)"],
  ["docs/koa.md", "[`a`](http.md#headers), [b](#routes)", "[`a`](./http.md#headers), [b](#routes)"],
  ["docs/koa.md", "[a](../packages/otel/README.md)", "[a](./reference/otel/index.md)"],
  ["docs/koa.md", "[a](../apps/demo/examples)", "[a](https://github.com/ratelimit/ratelimit/blob/main/apps/demo/examples)"],
  ["docs/decisions/units.md", "[a](../state.md) [b](table-layout.md)", "[a](../state.md) [b](./table-layout.md)"],
  ["packages/core/README.md", "[a](../../docs/errors.md#backend)", "[a](../../errors.md#backend)"],
  ["docs/koa.md", "[a](https://example.com/x.md)", "[a](https://example.com/x.md)"],
  ["docs/koa.md", "`[a](http.md)`", "`[a](http.md)`"],
  ["docs/koa.md", "```md\n[a](http.md)\n```", "```md\n[a](http.md)\n```"],
] as const)("%s: %s becomes %s", ([source, text, expected]) => {
  expect(staged(source, text)).toBe(expected);
});

test("what is only there for the tests of the pages is left out", () => {
  const text = ["a", "<!-- setup", "const b = 1;", "-->", "```ts no-run: why", "<!-- c -->", "```", "<!-- setup -->", "d"].join("\n");
  expect(staged("docs/koa.md", text)).toBe(["a", "```ts", "<!-- c -->", "```", "d"].join("\n"));
});

test("an image that does not exist is named", () => {
  expect(() => staged("docs/koa.md", "![a](none.png)")).toThrow("Expected docs/none.png to exist, which docs/koa.md shows");
});

test("anchors are those of GitHub", () => {
  expect(["RATELIMIT_NO_USER", "`wait()`", "What is lost?", "Wait for a turn"].map(slug)).toEqual([
    "ratelimit_no_user",
    "wait",
    "what-is-lost",
    "wait-for-a-turn",
  ]);
});

test("the first page says what the README says, without the tests that prove it", () => {
  const home = homePage(pages);
  expect(home).toContain("Rate limiting for Node.js servers");
  expect(home.match(/"title":/g)?.length).toBeGreaterThanOrEqual(5);
  expect(home).not.toMatch(/\.ts`|packages\//);
  expect(home).toContain('import { rateLimit } from "@ratelimit/express";');
});

test("a README without the sections of the first page is reported", () => {
  const readme = pages.find(({ source }) => source === "README.md") as Page;
  expect(() => homePage([{ ...readme, text: "# a\n\nb\n" }])).toThrow('Expected the README to have the section "Why this library"');
});
