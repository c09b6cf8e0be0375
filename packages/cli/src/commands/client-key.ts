import { addressKey } from "../logs/key.ts";

/** Reads the key of a client as a program passes it. The adapters limit an IPv6 client by its network, so an address stands for that. */
export function clientKey(text: string): string {
  const [, address] = /^ip:([^/]+)$/.exec(text) ?? [];
  const key = address === undefined ? text : `ip:${addressKey(address)}`;
  if (key !== text) process.stderr.write(`${text} is limited as ${key}, unless its limiter sets another ipv6Prefix.\n`);
  return key;
}
