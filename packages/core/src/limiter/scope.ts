import type { Backend, KeyScope } from "../backend/backend.ts";
import { escapeName } from "../backend/key.ts";
import { RateLimitError } from "../errors.ts";
import { type Policy, samePolicy } from "../policy/policy.ts";
import { processWide } from "../process-wide.ts";
import { WaitQueue } from "./wait-queue.ts";

/** The state that live limiters with the same name on the same backend share, so that `update()` of one reaches all. */
export interface SharedScope {
  scope: KeyScope;
  holders: number;
  /** The calls of all these limiters that wait for tokens. */
  readonly waits: WaitQueue;
}

/** Per backend, the live names by prefix. Two copies of this package that have one backend must not disagree about a name either. */
const scopesOf = processWide("scopes 1", () => new WeakMap<Backend, Map<string, SharedScope>>());

/** What a limiter needs to join: its buckets and its policy. */
interface Joining {
  readonly backend: Backend;
  readonly keyPrefix: string;
  readonly name: string;
  readonly policy: Policy;
  /** Whether the limiter takes over the name from limiters with another policy. */
  readonly replace: boolean;
  /** Whether the limiter does not reserve the name: limits computed per request share it. */
  readonly computed: boolean;
}

/**
 * Joins the limiters that keep their buckets under one name.
 * @throws {RateLimitError} INVALID_OPTION if a live one has another policy, because two limits would share a bucket by accident.
 */
export function join({ backend, keyPrefix, name, policy, replace, computed }: Joining): SharedScope {
  const prefix = `${keyPrefix}${escapeName(name)}:`;
  if (computed) return newScope(prefix, policy);
  const scopes = scopesOf.get(backend) ?? new Map<string, SharedScope>();
  scopesOf.set(backend, scopes);
  const shared = scopes.get(prefix) ?? newScope(prefix, policy);
  if (!samePolicy(shared.scope.policy, policy)) {
    if (!replace) throw takenName(name);
    setPolicy(shared, policy);
  }
  shared.holders++;
  scopes.set(prefix, shared);
  return shared;
}

function takenName(name: string): RateLimitError {
  return new RateLimitError(
    "INVALID_OPTION",
    `Expected \`name\` to be unique among the limiters of a backend, got ${JSON.stringify(name)} with another policy: give this limiter a name of its own, pass the one limiter to both places, change its policy with update(), or take the name over with replace: true`,
  );
}

function newScope(prefix: string, policy: Policy): SharedScope {
  const shared: SharedScope = { scope: Object.freeze({ prefix, policy }), holders: 0, waits: new WaitQueue(() => shared.scope.policy) };
  return shared;
}

/** Leaves the limiters of this name. The last one frees it. */
export function leave(backend: Backend, shared: SharedScope): void {
  shared.holders--;
  const scopes = scopesOf.get(backend);
  if (shared.holders === 0 && scopes?.get(shared.scope.prefix) === shared) scopes.delete(shared.scope.prefix);
}

/** Changes the policy of all limiters of this name. Each bucket still needs as long to fill as it did before. */
export function setPolicy(shared: SharedScope, policy: Policy): void {
  shared.scope = Object.freeze({ prefix: shared.scope.prefix, policy });
  shared.waits.policyChanged();
}
