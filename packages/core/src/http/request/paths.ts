import type { Rule } from "../../validation.ts";
import type { HttpRequest } from "./request.ts";

/** Paths that are not limited, as they are written. */
export const excludePathsRule: Rule = {
  expects: 'an array of paths that start with "/"',
  accepts: (value) => Array.isArray(value) && value.every((path) => typeof path === "string" && path.startsWith("/")),
  hint: 'write excludePaths: ["/health"]; what is not one exact path is a case for skip',
};

/** Whether a request is for one of `paths`: the same characters, without query and fragment; nothing is decoded or folded. */
export function pathMatcher(paths: readonly string[]): (http: Pick<HttpRequest, "url">) => boolean {
  const exact = new Set(paths);
  return exact.size === 0 ? () => false : ({ url }) => exact.has(pathOf(url));
}

function pathOf(url: string): string {
  const target = url.startsWith("/") ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "");
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  return path === "" ? "/" : path;
}
