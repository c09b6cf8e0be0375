import type { Backend } from "../backend/backend.ts";
import type { ResilientBackend } from "../resilience/resilient-backend.ts";
import { LeasedBackend } from "./leased-backend.ts";

/**
 * Lets a backend lease the tokens of busy keys, for policies with `lease`. Its parts must have a `lease` method; other policies are not
 * affected.
 *
 * @example
 * const backend = leased(resilient(store, options, { lease: (scope, key, request) => store.lease(scope, key, request) }));
 */
export function leased(backend: ResilientBackend): Backend {
  return new LeasedBackend(backend);
}
