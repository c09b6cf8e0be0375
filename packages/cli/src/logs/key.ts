import { clientIp } from "@ratelimit/core/http";
import { Failure } from "../failure.ts";

/** Which part of a request is its key. */
export type KeySource =
  | { readonly kind: "ip" | "user" }
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "json"; readonly path: string };

/** Reads `--key`. */
export function parseKey(text: string): KeySource {
  if (text === "ip" || text === "user") return { kind: text };
  const [, kind, name = ""] = /^(header|json):(.+)$/.exec(text) ?? [];
  if (kind === "header") return { kind, name: name.toLowerCase() };
  if (kind === "json") return { kind, path: name };
  throw new Failure(
    `Expected \`--key\` to be ip, user, header:NAME or json:PATH, got ${JSON.stringify(text)}: write for example --key header:user-agent`,
  );
}

/**
 * Returns the key of an address as the adapters form it: IPv6 by its /64. A host name, which Apache logs if it looks names up, is its own
 * key. Nearly every address is IPv4, which needs no change.
 */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  const key = clientIp(address, {});
  return key === "unknown" ? address : key;
}
