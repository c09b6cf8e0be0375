import { RateLimitError } from "../../errors.ts";
import { expectedSecret } from "../../messages.ts";
import { warnOnce } from "../../warnings.ts";
import { type Address, identityOf, parseAddress } from "./address.ts";
import { networkTest, type Trust, trusting, walk } from "./client-ip.ts";
import { proxyWatch } from "./proxies.ts";
import type { HttpRequest } from "./request.ts";

/** How to find a client's address, and what is decided by it alone. */
export interface AddressOptions<Req> {
  readonly trust?: Trust | undefined;
  readonly ipv6Prefix?: number | undefined;
  readonly ip?: ((req: Req) => string | null | undefined) | undefined;
  readonly allow?: readonly string[] | undefined;
  readonly deny?: readonly string[] | undefined;
}

/** The client of a request, known by its address. */
export interface Client {
  /** The address as an identity: IPv4 in dotted form, IPv6 as a network, or `"unknown"`. */
  readonly identity: string;
  readonly access: "allow" | "deny" | "limit" | "gone";
}

/** A client that hung up before its address was read. It has no identity, so its request must not be served. */
const gone: Client = { identity: "unknown", access: "gone" };

/** The number of parsed addresses to cache: parsing one costs more than everything else a guard does for a request. */
const mostKnown = 1000;

/** Compiles options into a function that finds the client of a request. */
export function clientFinder<Req>(options: AddressOptions<Req>): (req: Req, http: HttpRequest) => Client {
  const { trust, ip: read, ipv6Prefix = 64, allow = [], deny = [] } = options;
  const trusts = trust === undefined ? undefined : trusting(trust);
  const watch = trust === undefined && read === undefined ? proxyWatch() : undefined;
  const [isAllowed, isDenied] = [networkTest(allow), networkTest(deny)];
  const known = new Map<string, Client>();

  return (req, http) => {
    watch?.(http);
    const given = checkedIp(read?.(req));
    if (trusts !== undefined && given === undefined) {
      if (isUnknown(http)) return gone;
      return clientAt(walk(http.socketAddress, http.header("x-forwarded-for"), trusts));
    }
    const ip = given ?? http.ip;
    return ip === undefined ? atSocket(http) : (known.get(ip) ?? remembered(ip, http));
  };

  function atSocket(http: HttpRequest): Client {
    return isUnknown(http) ? gone : clientAt(parseAddress(http.socketAddress));
  }

  function remembered(ip: string, http: HttpRequest): Client {
    const address = parseAddress(ip);
    // Whatever is no address may have any length and content, so it is never a key and never remembered.
    if (address === undefined) return atSocket(http);
    const client = clientAt(address);
    if (known.size >= mostKnown) known.clear();
    known.set(ip, client);
    return client;
  }

  function clientAt(address: Address | undefined): Client {
    if (address === undefined) {
      warnOnce(
        "RATELIMIT_NO_ADDRESS",
        "A request has no client address; all such requests share one bucket, ip:unknown; if a header carries the address, set the option `trust` or `ip`",
      );
      return { identity: "unknown", access: "limit" };
    }
    // An address that is in both lists is denied: a ban inside an allowed network is the narrower decision.
    const access = isDenied(address) ? "deny" : isAllowed(address) ? "allow" : "limit";
    return { identity: identityOf(address, ipv6Prefix), access };
  }
}

function isUnknown({ socketAddress, isGone = false }: HttpRequest): boolean {
  return socketAddress === undefined && isGone;
}

/** Returns what the option `ip` returned; a header that is absent or empty gives no address. */
function checkedIp(given: string | null | undefined): string | undefined {
  if (given === undefined || given === null || given === "") return undefined;
  if (typeof given === "string") return given;
  throw new RateLimitError(
    "INVALID_OPTION",
    expectedSecret("ip", "a string or undefined", given, "return the address, not a promise of it"),
  );
}
