import type { Backend, KeyScope } from "../backend/backend.ts";
import { escapeName } from "../backend/key.ts";
import { RateLimitError } from "../errors.ts";
import { type Policy, samePolicy } from "../policy/policy.ts";
import { WaitQueue } from "./wait-queue.ts";

/** What live limiters of one name on one backend have in common: `update()` of one reaches all. */
export interface SharedScope {
  scope: KeyScope;
  holders: number;
  /** The calls of all of them that wait for tokens. */
  readonly waits: WaitQueue;
}

const sharesOf = new WeakMap<Backend, Map<string, SharedScope>>();

/** What says which buckets a limiter keeps, and by which policy. */
interface Joining {
  readonly backend: Backend;
  readonly keyPrefix: string;
  readonly name: string;
  readonly policy: Policy;
  /** Whether the limiter takes the name over from those that have another policy. */
  readonly replace: boolean;
}

/**
 * Joins the limiters that keep their buckets under one name.
 * @throws {RateLimitError} INVALID_OPTION when a live one there has another policy: by accident two limits would share a bucket.
 */
export function join({ backend, keyPrefix, name, policy, replace }: Joining): SharedScope {
  const shares = sharesOf.get(backend) ?? new Map<string, SharedScope>();
  sharesOf.set(backend, shares);
  const prefix = `${keyPrefix}${escapeName(name)}:`;
  const share = shares.get(prefix) ?? newShare(prefix, policy);
  if (!samePolicy(share.scope.policy, policy)) {
    if (!replace) throw takenName(name);
    setPolicy(share, policy);
  }
  share.holders++;
  shares.set(prefix, share);
  return share;
}

function takenName(name: string): RateLimitError {
  return new RateLimitError(
    "INVALID_OPTION",
    `Expected \`name\` to be unique among the limiters of a backend, got ${JSON.stringify(name)} with another policy: give this limiter a name of its own, pass the one limiter to both places, change its policy with update(), or take the name over with replace: true`,
  );
}

function newShare(prefix: string, policy: Policy): SharedScope {
  const share: SharedScope = { scope: Object.freeze({ prefix, policy }), holders: 0, waits: new WaitQueue(() => share.scope.policy) };
  return share;
}

/** Leaves them; the last one frees the name. */
export function leave(backend: Backend, share: SharedScope): void {
  share.holders--;
  if (share.holders === 0) sharesOf.get(backend)?.delete(share.scope.prefix);
}

/** Changes the policy of all of them; their buckets keep the time they owe. */
export function setPolicy(share: SharedScope, policy: Policy): void {
  share.scope = Object.freeze({ prefix: share.scope.prefix, policy });
  share.waits.policyChanged();
}
