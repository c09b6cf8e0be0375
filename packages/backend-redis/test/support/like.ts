import { expect } from "vitest";

/** Matches a string within an expected object by a pattern. */
export function like(pattern: RegExp): unknown {
  return expect.stringMatching(pattern);
}
