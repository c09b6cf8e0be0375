import { BlockList, isIP } from "node:net";
import { checkOptions, type Rule, type Rules } from "../../validation.ts";
import { type Address, addressText, identityOf, parseAddress } from "./address.ts";

/** Which proxies are trusted: none, a number of hops in front of this process, or all within certain networks (`"10.0.0.0/8"`). */
export type Trust = false | number | readonly string[];

/** Whether the machine at `address`, `hop` hops beyond the socket's peer, is trusted to name the machine before it. */
export type Trusts = (address: Address, hop: number) => boolean;

export const trustRule: Rule = {
  expects: "false, a number of proxies, or an array of networks",
  accepts: (value) =>
    value === false || (Number.isSafeInteger(value) && (value as number) >= 0) || (Array.isArray(value) && value.every(isNetwork)),
  hint: 'write trust: 1 for one proxy in front, or trust: ["10.0.0.0/8"] (an IPv4 network inside IPv6 has at least /96)',
};

export const ipv6PrefixRule: Rule = {
  expects: "a whole number of bits from 1 to 128",
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 128,
  hint: "leave it out for 64, the network of one customer",
};

const clientIpRules: Rules = { trust: trustRule, ipv6Prefix: ipv6PrefixRule };

/**
 * Returns the client's address as an identity: IPv4 in dotted form, IPv6 as a network (`"2001:db8:1:2::/64"`), or `"unknown"`.
 *
 * X-Forwarded-For is read from the right for as long as each proxy is trusted by `trust`; by default, none is. An entry that is not an
 * address ends the walk, and the last valid address counts.
 *
 * @throws {RateLimitError} INVALID_OPTION if `trust` or `ipv6Prefix` is invalid.
 * @example
 * clientIp("10.0.0.7", { "x-forwarded-for": "198.51.100.2, 203.0.113.9" }, { trust: 1 }); // "203.0.113.9"
 */
export function clientIp(
  socketAddress: string | undefined,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  options: { trust?: Trust | undefined; ipv6Prefix?: number | undefined } = {},
): string {
  checkOptions("options", options, clientIpRules);
  const { trust = false, ipv6Prefix = 64 } = options;
  const client = walk(socketAddress, forwardedFor(headers["x-forwarded-for"]), trusting(trust));
  return client === undefined ? "unknown" : identityOf(client, ipv6Prefix);
}

/** Compiles `trust` into a function. */
export function trusting(trust: Trust): Trusts {
  if (trust === false) return () => false;
  if (typeof trust === "number") return (_, hop) => hop < trust;
  // One list per family: a shared list would find every IPv4 address in ::/64, because it looks up ::ffff:1.2.3.4.
  const networks = { 4: new BlockList(), 6: new BlockList() };
  for (const text of trust) {
    const { address, prefix } = networkOf(text) as Network;
    networks[address.family].addSubnet(addressText(address), prefix, familyOf(address));
  }
  return (address) => networks[address.family].check(addressText(address), familyOf(address));
}

/** Finds the client: the nearest address that does not belong to a trusted proxy. */
export function walk(socketAddress: string | undefined, forwarded: string | undefined, trusts: Trusts): Address | undefined {
  let client = parseAddress(socketAddress);
  const hops = forwarded === undefined ? [] : forwarded.split(",");
  for (let hop = 0; client !== undefined && trusts(client, hop); hop++) {
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
  const prefix = (digits === undefined ? bits : Number(digits)) - (bits === 128 && address.family === 4 ? 96 : 0);
  return prefix >= 0 && prefix <= (address.family === 4 ? 32 : 128) ? { address, prefix } : undefined;
}

function isNetwork(text: unknown): boolean {
  return networkOf(text) !== undefined;
}

function familyOf({ family }: Address): "ipv4" | "ipv6" {
  return family === 4 ? "ipv4" : "ipv6";
}

function forwardedFor(field: string | readonly string[] | undefined): string | undefined {
  return typeof field === "object" ? field.join(",") : field;
}
