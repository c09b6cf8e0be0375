import * as core from "@ratelimit/core";
import * as adapter from "@ratelimit/core/adapter";
import * as backend from "@ratelimit/core/backend";
import * as http from "@ratelimit/core/http";
import { expect, test } from "vitest";

/** The names that each audience can import. A change here affects users, so it needs a changeset. */
test.each([
  ["@ratelimit/core, for users of limiters", core],
  ["@ratelimit/core/backend, for authors of backends", backend],
  ["@ratelimit/core/adapter, for authors of adapters", adapter],
  ["@ratelimit/core/http, for users of an adapter", http],
])("the public names of %s are unchanged", (_, names) => {
  expect(Object.keys(names).sort()).toMatchSnapshot();
});
