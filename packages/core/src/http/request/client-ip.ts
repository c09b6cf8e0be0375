import { BlockList, isIP } from "node:net";
import { Problems, type Rule, type Rules } from "../../validation.ts";
import { type Address, addressText, identityOf, parseAddress } from "./address.ts";

/** Which proxies are trusted: none, a number of hops in front of this process, or all within certain networks (`"10.0.0.0/8"`). */
export type Trust = false | number | readonly string[];

/** Whether the machine at `address`, `hop` hops beyond the socket's peer, is trusted to name the machine before it. */
export type Trusts = (address: Address | undefined, hop: number) => boolean;

export const trustRule: Rule = {
  expects: "false, a number of proxies, or an array of networks",
  accepts: (value) =>
    value === false || (Number.isSafeInteger(value) && (value as number) >= 0) || (Array.isArray(value) && value.every(isNetwork)),
  hint: 'write trust: 1 for one proxy in front, or trust: ["10.0.0.0/8"] (an IPv4 network inside IPv6 is longer than /96)',
};

export const ipv6PrefixRule: Rule = {
  expects: "a whole number of bits from 1 to 128",
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 128,
  hint: "leave it out for 64, the network of one customer",
};

/** The rule for the options `allow` and `deny`. */
export const networksRule: Rule = {
  expects: "an array of addresses and networks",
  accepts: (value) => Array.isArray(value) && value.every(isNetwork),
  hint: 'write for example ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"]',
};

const clientIpRules: Rules = { trust: trustRule, ipv6Prefix: ipv6PrefixRule };

/** The headers of a request: those of `node:http`, or a web-standard `Headers` object. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>> | Pick<Headers, "get">;

/**
 * Returns the client's address as an identity: IPv4 in dotted form, IPv6 as a network (`"2001:db8:1:2::/64"`), or `"unknown"`.
 *
 * X-Forwarded-For is read from the right for as long as each proxy is trusted by `trust`; by default, none is. An entry that is not an
 * address ends the walk, and the last valid address counts. Where there is no socket (a fetch handler, Lambda), pass `undefined`: the
 * platform then counts as the first of the trusted proxies.
 *
 * @throws {RateLimitError} INVALID_OPTION if `trust` or `ipv6Prefix` is invalid.
 * @example
 * clientIp("10.0.0.7", { "x-forwarded-for": "198.51.100.2, 203.0.113.9" }, { trust: 1 }); // "203.0.113.9"
 * clientIp(undefined, request.headers, { trust: 1 }); // in a fetch handler
 */
export function clientIp(
  socketAddress: string | undefined,
  headers: RequestHeaders,
  options: { trust?: Trust | undefined; ipv6Prefix?: number | undefined } = {},
): string {
  // Not `checkOptions`, which brings the hints for users of other libraries along: this function may be all that a bundle needs.
  const problems = Problems.none();
  problems.checkOptions("options", options, clientIpRules);
  problems.throwIfAny("INVALID_OPTION");
  const { trust = false, ipv6Prefix = 64 } = options;
  const client = walk(socketAddress, forwardedFor(headers), trusting(trust));
  return client === undefined ? "unknown" : identityOf(client, ipv6Prefix);
}

/** Compiles `trust` into a function. A peer without an address is trusted only if proxies are counted. */
export function trusting(trust: Trust): Trusts {
  if (trust === false) return () => false;
  if (typeof trust === "number") return (_, hop) => hop < trust;
  const isTrusted = networkTest(trust);
  return (address) => address !== undefined && isTrusted(address);
}

/** Compiles networks into a function that tests whether an address is in one of them. */
export function networkTest(networks: readonly string[]): (address: Address) => boolean {
  if (networks.length === 0) return () => false;
  // One list per family: a shared list would find every IPv4 address in ::/64, because it looks up ::ffff:1.2.3.4.
  const lists = { 4: new BlockList(), 6: new BlockList() };
  for (const text of networks) {
    const { address, prefix } = networkOf(text) as Network;
    lists[address.family].addSubnet(addressText(address), prefix, familyOf(address));
  }
  return (address) => lists[address.family].check(addressText(address), familyOf(address));
}

/** Finds the client: the nearest address that does not belong to a trusted proxy. */
export function walk(socketAddress: string | undefined, forwarded: string | undefined, trusts: Trusts): Address | undefined {
  let client = parseAddress(socketAddress);
  const hops = forwarded === undefined ? [] : forwarded.split(",");
  for (let hop = 0; trusts(client, hop); hop++) {
    const before = parseAddress(hops.pop());
    if (before === undefined) break;
    client = before;
  }
  return client;
}

interface Network {
  readonly address: Address;
  readonly prefix: number;
}

function networkOf(text: unknown): Network | undefined {
  const [, host = "", digits] = (typeof text === "string" && /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text)) || [];
  const address = isIP(host) === 0 ? undefined : parseAddress(host);
  if (address === undefined) return undefined;
  const bits = isIP(host) === 4 ? 32 : 128;
  const isMapped = bits === 128 && address.family === 4;
  const prefix = (digits === undefined ? bits : Number(digits)) - (isMapped ? 96 : 0);
  // A whole network of mapped addresses would be all of IPv4, and whoever writes NAT64's prefix means the clients behind a gateway.
  return prefix >= (isMapped ? 1 : 0) && prefix <= (address.family === 4 ? 32 : 128) ? { address, prefix } : undefined;
}

function isNetwork(text: unknown): boolean {
  return networkOf(text) !== undefined;
}

function familyOf({ family }: Address): "ipv4" | "ipv6" {
  return family === 4 ? "ipv4" : "ipv6";
}

function forwardedFor(headers: RequestHeaders): string | undefined {
  if (typeof headers.get === "function") return headers.get("x-forwarded-for") ?? undefined;
  const field = (headers as Readonly<Record<string, string | readonly string[] | undefined>>)["x-forwarded-for"];
  return typeof field === "object" ? field.join(",") : field;
}
