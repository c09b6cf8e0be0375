/** Asks a backend for tokens in advance, and hands back earlier ones. */
export interface LeaseRequest {
  /** The most tokens to grant; 0 only hands back. */
  readonly tokens: number;
  /** Grants tokens that the bucket will have within so many milliseconds, if nobody else takes any. */
  readonly horizonMs: number;
  /** The tokens may be spent for at least so many milliseconds after they were granted. Until then they do not drain from the bucket. */
  readonly validMs: number;
  readonly handBack: readonly HandedBack[];
}

/** Tokens of one generation that a process no longer holds. Tokens of a generation that has ended are ignored. */
export interface HandedBack {
  readonly generation: number;
  /** Tokens that the backend held until now. They begin to drain, except for those that were not spent. */
  readonly held: number;
  /** How many of them were not spent. They are refunded. */
  readonly unspent: number;
}

/** What a backend granted. The arrays have one number for each limit of the policy. */
export interface LeaseGrant {
  readonly tokens: number;
  /** Identifies the tokens when they are handed back; 0 if none were granted. */
  readonly generation: number;
  /** Units in use before the grant, after what was handed back. */
  readonly used: readonly number[];
  /** How many of these units are tokens that processes hold, and so do not drain. */
  readonly held: readonly number[];
  /** Milliseconds that the key stays blocked; 0 if it is not. Nothing is granted while it is. */
  readonly blockedMs: number;
}

/** Whether a backend's answer to a request is valid for a policy with so many limits. */
export function isLeaseGrant(answer: unknown, limits: number): answer is LeaseGrant {
  const { tokens, generation, used, held, blockedMs } = (answer ?? {}) as Partial<LeaseGrant>;
  const areUnits = (units: unknown): boolean => Array.isArray(units) && units.length === limits && units.every(isCount);
  return [tokens, generation, blockedMs].every(isCount) && areUnits(used) && areUnits(held);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
