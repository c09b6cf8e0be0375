import type { Rule } from "./problems.ts";

/**
 * What the address of a Redis must look like; ioredis takes an `http:` URL for a socket and an empty one for localhost.
 * A message shows it without user and password.
 */
export const redisUrlRule: Rule = {
  expects: "redis://[user:password@]host[:port][/database] or rediss://…",
  accepts: isRedisUrl,
  mask: masked,
  wayOut: 'write for example "redis://localhost:6379"; percent-encode what is special in a password',
};

function isRedisUrl(value: unknown): boolean {
  if (typeof value !== "string" || !URL.canParse(value)) return false;
  const { protocol, hostname, pathname, search, hash } = new URL(value);
  return (
    /^rediss?:$/.test(protocol) && hostname !== "" && /^\/?\d{0,9}$/.test(pathname) && /^(\?family=[046])?$/.test(search) && hash === ""
  );
}

/** Without all that may be secret: what stands before the last `@`, and the query. */
function masked(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const [, scheme = "", rest = ""] = /^([a-z+]*:\/\/)?(.*)$/is.exec(value) as RegExpExecArray;
  const host = rest.slice(rest.lastIndexOf("@") + 1).replace(/\?.*$/s, "?…");
  return `${scheme}${rest.includes("@") ? "***@" : ""}${host}`;
}
