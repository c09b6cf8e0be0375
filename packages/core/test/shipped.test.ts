import * as named from "@ratelimit/core";
import { expect, test } from "vitest";

test("a package's name resolves to its source, and with TEST_SHIPPED to the shipped files", async () => {
  const place = process.env["TEST_SHIPPED"] === undefined ? "../src/index.ts" : "../dist/index.js";
  expect(await import(place)).toBe(named);
});
