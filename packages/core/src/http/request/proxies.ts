import { warnOnce } from "../../warnings.ts";
import type { HttpRequest, ProxyAdvice } from "./request.ts";

/** The advice for an app whose framework trusts no proxy. */
export const forwardedIgnored: ProxyAdvice = {
  code: "RATELIMIT_FORWARDED_IGNORED",
  message:
    "Requests carry X-Forwarded-For or Forwarded but no proxy is trusted, so all clients behind a proxy share its address; set the framework's proxy setting, or the option `trust`",
  onlyIfForwarded: true,
};

/** Proxies write the client's address into one of these (RFC 7239 defines the second). */
const fields = ["x-forwarded-for", "forwarded"];

/** Every one of the first 1000 requests is checked, then one in 100, because reading a header makes Node parse all of them. */
const [firstRequests, oneIn] = [1000, 100];

/** Returns a function that warns once if the proxy setting gives all clients the same address or lets each client choose its own. */
export function proxyWatch(): (http: HttpRequest) => void {
  let isChecked = false;
  let advice: ProxyAdvice | undefined;
  let seen = 0;
  const isForwarded = (http: HttpRequest): boolean =>
    (++seen <= firstRequests || seen % oneIn === 0) && fields.some((name) => http.header(name) !== undefined);
  return (http) => {
    if (!isChecked) {
      isChecked = true;
      advice = http.proxyAdvice?.();
    }
    if (advice === undefined || (advice.onlyIfForwarded && !isForwarded(http))) return;
    warnOnce(advice.code, advice.message);
    advice = undefined;
  };
}
