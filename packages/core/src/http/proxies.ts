import { warnOnce } from "../warn.ts";
import type { HttpRequest } from "./request.ts";

/**
 * What can be wrong with a framework's proxy setting. Each is a warning's code, with a heading in docs/errors.md.
 * RATELIMIT_FORWARDED_IGNORED means that no proxy is trusted: wrong only where requests carry X-Forwarded-For.
 */
export type ProxyDoubt =
  | "RATELIMIT_FORWARDED_IGNORED"
  | "RATELIMIT_EXPRESS_TRUST_PROXY"
  | "RATELIMIT_FASTIFY_TRUST_PROXY"
  | "RATELIMIT_KOA_PROXY";

const sentences: Readonly<Record<ProxyDoubt, string>> = {
  RATELIMIT_FORWARDED_IGNORED:
    "Requests carry X-Forwarded-For but no proxy is trusted, so clients behind one share its address; set the framework's proxy setting, or our `trust`",
  RATELIMIT_EXPRESS_TRUST_PROXY:
    "Express `trust proxy: true` takes the client's address from what the client wrote; set the number of proxies or their networks",
  RATELIMIT_FASTIFY_TRUST_PROXY:
    "Fastify's numeric `trustProxy` trusts nobody since 5.12.1, so all clients behind the proxy share one address; set their networks, or our `trust`",
  RATELIMIT_KOA_PROXY:
    "Koa `proxy: true` without `maxIpsCount` takes the client's address from what the client wrote; set maxIpsCount to the number of proxies",
};

/** Requests that are looked at from the first on, and of the later ones every how-manieth: to look makes Node put all fields in order. */
const [enough, every] = [1000, 100];

/** Watches for settings that give every client the same address, or each the address of its choice; each is told once. */
export function proxyWatch(): (http: HttpRequest) => void {
  let settingIsChecked = false;
  let doubt: ProxyDoubt | undefined;
  let seen = 0;
  const isForwarded = (http: HttpRequest): boolean =>
    (++seen <= enough || seen % every === 0) && http.header("x-forwarded-for") !== undefined;
  return (http) => {
    if (!settingIsChecked) {
      settingIsChecked = true;
      doubt = http.proxyDoubt?.();
    }
    if (doubt === undefined || (doubt === "RATELIMIT_FORWARDED_IGNORED" && !isForwarded(http))) return;
    warnOnce(doubt, sentences[doubt]);
    doubt = undefined;
  };
}
