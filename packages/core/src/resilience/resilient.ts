import { type Backend, missingMethods } from "../backend/backend.ts";
import { peerOptionHint } from "../peer-options.ts";
import { Problems } from "../validation.ts";
import { ResilientBackend } from "./resilient-backend.ts";
import { type BackendParts, type ResilientOptions, resilientRules } from "./resilient-options.ts";

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
  const problems = Problems.none(peerOptionHint);
  const missing = missingMethods(backend);
  if (missing.length > 0) problems.add("backend", `a backend with ${missing.join(", ")}`, backend);
  problems.checkOptions("options", options, resilientRules);
  problems.throwIfAny("INVALID_OPTION");
  return new ResilientBackend(backend, options, parts);
}
