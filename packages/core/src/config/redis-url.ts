import type { Rule } from "../validation.ts";

/**
 * What the address of a Redis must look like; ioredis takes an `http:` URL for a socket and an empty one for localhost.
 * A message shows it without user and password.
 */
export const redisUrlRule: Rule = {
  expects: "redis://[user:password@]host[:port][/database] or rediss://…",
  accepts: isRedisUrl,
  mask: masked,
  hint: 'write for example "redis://localhost:6379"; percent-encode what is special in a password',
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
    // The result is used, for a bundler drops the call where it is not.
    return typeof decodeURIComponent(text) === "string";
  } catch {
    return false;
  }
}

/** Without all that may be secret: what stands before the last `@`, the query, and after a `:` all that is no port. */
function masked(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const [, scheme = "", rest = ""] = /^([a-z+]*:\/\/)?(.*)$/is.exec(value) as RegExpExecArray;
  const host = rest
    .slice(rest.lastIndexOf("@") + 1)
    .replace(/\?.*$/s, "?…")
    .replace(/^:.*|(?<!\[[^\]]*):(?!\d{1,5}(?:[/?]|$)).*$/s, ":***");
  return `${scheme}${rest.includes("@") ? "***@" : ""}${host}`;
}
