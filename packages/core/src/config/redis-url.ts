import type { Rule } from "../validation.ts";

/**
 * Checks a Redis URL, because ioredis treats an `http:` URL as a socket path and an empty one as localhost.
 * Messages show the URL without its user and password.
 */
export const redisUrlRule: Rule = {
  expects: "redis://[user:password@]host[:port][/database] or rediss://…",
  accepts: isRedisUrl,
  mask: masked,
  hint: 'write for example "redis://localhost:6379"; percent-encode special characters in the password',
};

function isRedisUrl(value: unknown): boolean {
  if (typeof value !== "string" || /\s/.test(value) || !URL.canParse(value)) return false;
  const { protocol, username, password, hostname, port, pathname, search, hash } = new URL(value);
  return (
    /^rediss?:$/.test(protocol) &&
    isEncoded(username) &&
    isEncoded(password) &&
    hostname !== "" &&
    port !== "0" &&
    /^\/?\d{0,9}$/.test(pathname) &&
    /^(\?family=[046])?$/.test(search) &&
    hash === ""
  );
}

function isEncoded(text: string): boolean {
  try {
    // Use the result: a bundler would drop a call whose result is unused.
    return typeof decodeURIComponent(text) === "string";
  } catch {
    return false;
  }
}

/** Removes whatever may be secret: everything before the last `@`, the query, and whatever follows a `:` unless it is a port. */
function masked(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const [, scheme = "", rest = ""] = /^([a-z+]*:\/\/)?(.*)$/is.exec(value) as RegExpExecArray;
  const host = rest
    .slice(rest.lastIndexOf("@") + 1)
    .replace(/\?.*$/s, "?…")
    .replace(/^:.*|(?<!\[[^\]]*):(?!\d{1,5}(?:[/?]|$)).*$/s, ":***");
  return `${scheme}${rest.includes("@") ? "***@" : ""}${host}`;
}
