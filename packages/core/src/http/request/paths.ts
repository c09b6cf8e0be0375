import type { Rule } from "../../validation.ts";
import type { HttpRequest } from "./request.ts";

/** Validates `excludePaths`. */
export const excludePathsRule: Rule = {
  expects: 'an array of paths that start with "/"',
  accepts: (value) => Array.isArray(value) && value.every((path) => typeof path === "string" && path.startsWith("/")),
  hint: 'write excludePaths: ["/health"], or use skip for anything other than exact paths',
};

/**
 * Returns a function that checks whether a request is for one of `paths`. The query and fragment are ignored; the rest must match
 * character for character, with no decoding or case folding.
 */
export function pathMatcher(paths: readonly string[]): (http: Pick<HttpRequest, "url">) => boolean {
  const exact = new Set(paths);
  return ({ url }) => exact.has(pathOf(url));
}

function pathOf(url: string): string {
  // Only what every parser takes for a host is cut off: some end it sooner, at a character that no host contains.
  const target = url.startsWith("/") ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[\w.~:@[\]-]*(?=[/?#]|$)/i, "");
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  return path === "" ? "/" : path;
}
