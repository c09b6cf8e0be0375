import { isIP } from "node:net";

/** An address as bits: four bytes, or eight groups of sixteen bits. */
export interface Address {
  readonly family: 4 | 6;
  readonly parts: readonly number[];
}

/** Longer than any address with brackets, zone and port. */
const longestText = 100;

/**
 * Reads an address as it stands in a header or on a socket: white space, brackets, port and `%zone` are cut,
 * an IPv4-mapped IPv6 address becomes that IPv4 by its bits. What is no address after that is `undefined`.
 */
export function parseAddress(text: string | undefined): Address | undefined {
  if (text === undefined || text.length > longestText) return undefined;
  const bare = withoutPort(text.trim()).replace(/%.*$/s, "");
  const family = isIP(bare);
  if (family === 4) return { family, parts: bare.split(".").map(Number) };
  return family === 6 ? unmapped(groupsOf(bare)) : undefined;
}

/** The address as a client's identity: IPv4 dotted, IPv6 its network of `prefix` bits in the form of RFC 5952. */
export function identityOf({ family, parts }: Address, prefix: number): string {
  return family === 4 ? parts.join(".") : `${compressed(networkOf(parts, prefix))}/${prefix}`;
}

/** The whole address as text. */
export function addressText({ family, parts }: Address): string {
  return family === 4 ? parts.join(".") : compressed(parts);
}

function withoutPort(text: string): string {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? [];
  return bracketed ?? text.replace(/^([\d.]+):\d+$/, "$1");
}

function groupsOf(ipv6: string): number[] {
  const hex = ipv6.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) => `${(a * 256 + +b).toString(16)}:${(c * 256 + +d).toString(16)}`,
  );
  const [head = [], tail] = hex.split("::").map((half) => (half === "" ? [] : half.split(":").map((group) => Number.parseInt(group, 16))));
  return tail === undefined ? head : [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** `::ffff:0:0/96` holds the IPv4 addresses. */
function unmapped(groups: readonly number[]): Address {
  const [high = 0, low = 0] = groups.slice(6);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return mapped ? { family: 4, parts: [high >> 8, high & 255, low >> 8, low & 255] } : { family: 6, parts: groups };
}

function networkOf(groups: readonly number[], prefix: number): number[] {
  return groups.map((group, i) => {
    const bits = Math.min(16, Math.max(0, prefix - 16 * i));
    return group & (0xffff << (16 - bits)) & 0xffff;
  });
}

/** RFC 5952, section 4: lower-case, no leading zeros, the first longest run of zero groups as `::`. */
function compressed(groups: readonly number[]): string {
  const text = groups.map((group) => group.toString(16)).join(":");
  const runs = text.match(/(?<![^:])0(?::0(?![^:]))+/g) ?? [];
  const longest = runs.reduce((a, b) => (b.length > a.length ? b : a), "");
  if (longest === "") return text;
  const start = text.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  return `${text.slice(0, start).replace(/:$/, "")}::${text.slice(start + longest.length).replace(/^:/, "")}`;
}
