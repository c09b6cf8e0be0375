import { isIP } from "node:net";

/** An IP address as numbers: four bytes, or eight groups of 16 bits. */
export interface Address {
  readonly family: 4 | 6;
  readonly parts: readonly number[];
}

/** No valid address is longer, even with brackets, zone and port. */
const longestText = 100;

/**
 * Parses an address from a header or a socket. White space, brackets, port and `%zone` are removed, and an IPv6 address that stands for
 * an IPv4 address becomes that address, however it is spelled. Returns `undefined` if the rest is not an address.
 */
export function parseAddress(text: string | undefined): Address | undefined {
  if (text === undefined || text.length > longestText) return undefined;
  const bare = withoutPort(text.trim()).replace(/%.*$/s, "");
  const family = isIP(bare);
  if (family === 4) return { family, parts: bare.split(".").map(Number) };
  return family === 6 ? asIpv4(groupsOf(bare)) : undefined;
}

/** Formats an address as a client's identity: IPv4 in dotted form, IPv6 as its network of `prefix` bits in RFC 5952 form. */
export function identityOf({ family, parts }: Address, prefix: number): string {
  return family === 4 ? parts.join(".") : `${compressed(networkOf(parts, prefix))}/${prefix}`;
}

/** Formats the whole address. */
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

/** The first six groups of the networks whose last 32 bits are an IPv4 address: IPv4-mapped, and NAT64 (RFC 6052, section 2.1). */
const ipv4Networks = ["0,0,0,0,0,65535", "100,65435,0,0,0,0"];

function asIpv4(groups: readonly number[]): Address {
  const [high = 0, low = 0] = groups.slice(6);
  const isIpv4 = ipv4Networks.includes(groups.slice(0, 6).join());
  return isIpv4 ? { family: 4, parts: [high >> 8, high & 255, low >> 8, low & 255] } : { family: 6, parts: groups };
}

function networkOf(groups: readonly number[], prefix: number): number[] {
  return groups.map((group, i) => {
    const bits = Math.min(16, Math.max(0, prefix - 16 * i));
    return group & (0xffff << (16 - bits)) & 0xffff;
  });
}

/** Formats per RFC 5952, section 4: lower case, no leading zeros, and `::` for the first of the longest runs of zero groups. */
function compressed(groups: readonly number[]): string {
  const text = groups.map((group) => group.toString(16)).join(":");
  const runs = text.match(/(?<![^:])0(?::0(?![^:]))+/g) ?? [];
  const longest = runs.reduce((a, b) => (b.length > a.length ? b : a), "");
  if (longest === "") return text;
  const start = text.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  return `${text.slice(0, start).replace(/:$/, "")}::${text.slice(start + longest.length).replace(/^:/, "")}`;
}
