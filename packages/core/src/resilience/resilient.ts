import { type Backend, missingMethods } from "../backend/backend.ts";
import { timeSpanMs } from "../policy/duration.ts";
import { Problems, type Rules, rule } from "../validation.ts";
import type { OutageMode } from "./outage-reporter.ts";
import { type BackendParts, ResilientBackend, type ResilientOptions } from "./resilient-backend.ts";

const outages: readonly unknown[] = ["local", "open", "closed", "throw"] satisfies OutageMode[];

/** The rules of {@link ResilientOptions}, for backends that take them among their own options. */
export const resilientRules: Rules = {
  timeout: {
    expects: "a length of time with its unit",
    accepts: (value) => timeSpanMs(value) !== undefined,
    hint: 'write timeout: "100ms" (a bare 100 would be 100 s)',
  },
  outage: { expects: '"local", "open", "closed" or "throw"', accepts: (value) => outages.includes(value) },
  instances: { ...rule.positiveInteger, hint: "write the number of processes that share the limits" },
  onOutage: rule.function,
  maxKeys: rule.positiveInteger,
};

/**
 * Wraps a backend so that every call is decided in time, even while the backend is out.
 *
 * If a call is not answered within `timeout` (100 ms by default), `outage` determines how it is decided. A backend that is certainly out,
 * or has not answered for half a second, gets no calls until a probe succeeds. Results show this in `degraded` and `source`.
 *
 * @throws {RateLimitError} INVALID_OPTION, which lists every problem.
 * @example
 * const backend = resilient(new YourBackend(), { timeout: "50ms", outage: "local", instances: 4 });
 */
export function resilient(backend: Backend, options: ResilientOptions = {}, parts: BackendParts = {}): ResilientBackend {
  const problems = Problems.none();
  const missing = missingMethods(backend);
  if (missing.length > 0) problems.add("backend", `a backend with ${missing.join(", ")}`, backend);
  problems.checkOptions("options", options, resilientRules);
  problems.throwIfAny("INVALID_OPTION");
  return new ResilientBackend(backend, options, parts);
}
