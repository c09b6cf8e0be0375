import { warnOnce } from "../../warnings.ts";
import type { HttpRequest, ProxyAdvice } from "./request.ts";

/** What an adapter advises if its framework trusts no proxy. */
export const forwardedIgnored: ProxyAdvice = {
  code: "RATELIMIT_FORWARDED_IGNORED",
  message:
    "Requests carry X-Forwarded-For but no proxy is trusted, so clients behind one share its address; set the framework's proxy setting, or the option `trust`",
  onlyIfForwarded: true,
};

/** The first requests are all looked at, later ones one in a hundred: looking makes Node put all header fields in order. */
const [firstRequests, oneIn] = [1000, 100];

/** Warns once about a proxy setting that gives every client the same address, or lets each choose its own. */
export function proxyWatch(): (http: HttpRequest) => void {
  let isChecked = false;
  let advice: ProxyAdvice | undefined;
  let seen = 0;
  const isForwarded = (http: HttpRequest): boolean =>
    (++seen <= firstRequests || seen % oneIn === 0) && http.header("x-forwarded-for") !== undefined;
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
