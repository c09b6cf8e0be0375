import * as named from "@ratelimit/core";
import { expect, test } from "vitest";

test("the name of a package leads to its source, and with TEST_SHIPPED to what is shipped", async () => {
  const place = process.env["TEST_SHIPPED"] === undefined ? "../src/index.ts" : "../dist/index.js";
  expect(await import(place)).toBe(named);
});
