import { expect, test } from "vitest";
import { clusterRights, rights } from "../../packages/backend-redis/test/support/user.ts";
import { guardRules } from "../../packages/core/src/http/guard/options.ts";
import { pages } from "./pages.ts";

function textOf(path: string): string {
  return pages.find((page) => page.path === path)?.text ?? "";
}

/** Returns the first cells of all rows, for each table in one section of a page. */
function namesIn(path: string, heading: string): string[][] {
  const section =
    textOf(path)
      .split(/^## /m)
      .find((section) => section.startsWith(`${heading}\n`)) ?? "";
  return section
    .split(/\n\n+/)
    .filter((block) => block.startsWith("|"))
    .map((table) => [...table.matchAll(/^\| `(\w+)` /gm)].map(([, name = ""]) => name));
}

/** Returns the public options of one of the three functions. */
function optionsOf(guard: keyof typeof guardRules): string[] {
  const rules = Object.entries(guardRules[guard]).filter(([, { hidden }]) => !hidden);
  return rules.map(([option]) => option).sort();
}

test("docs/http.md lists every option of the three functions, and no other", () => {
  const [plain = [], user = [], apiKey = []] = namesIn("docs/http.md", "Options");
  const shared = plain.filter((option) => option !== "key");
  expect(plain.sort()).toEqual(optionsOf("plain"));
  expect([...shared, ...user].sort()).toEqual(optionsOf("user"));
  expect([...shared, ...apiKey].sort()).toEqual(optionsOf("apiKey"));
});

test("docs/redis.md lists exactly the permissions that the tests of the backend run with", () => {
  const [, listed = ""] = /ACL SETUSER limiter on '>secret' (.*)/.exec(textOf("docs/redis.md")) ?? [];
  expect(listed.replaceAll("'", "").split(" ")).toEqual(rights);
  expect(textOf("docs/redis.md")).toContain(`\`${clusterRights.slice(rights.length).join(" ")}\``);
});
