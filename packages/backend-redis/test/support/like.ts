import { expect } from "vitest";

/** A text, within an expected object, that need not be known to the letter. */
export function like(pattern: RegExp): unknown {
  return expect.stringMatching(pattern);
}
