import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clusterRights, rights } from "./support/user.ts";

const page = await readFile(join(import.meta.dirname, "../README.md"), "utf8");

test("the README lists the rights with which the tests run", () => {
  const [, listed = ""] = /ACL SETUSER limiter on '>secret' (.*)/.exec(page) ?? [];
  expect(listed.replaceAll("'", "").split(" ")).toEqual(rights);
  expect(page).toContain(`\`${clusterRights.slice(rights.length).join(" ")}\``);
});
