import type { LeaseGrant, LeaseRequest } from "@ratelimit/core/backend";

/** The numbers of a limit: units per token, units that drain per millisecond, units in a whole bucket. */
export interface Units {
  readonly unitsPerToken: number;
  readonly unitsPerMs: number;
  readonly capacityUnits: number;
}

interface Hold {
  readonly generation: number;
  readonly endsAt: number;
  /** Units held of each limit. */
  readonly units: number[];
}

/** A server with one bucket, which lets time pass from one event to the next, as one would explain it. */
export class LeaseModel {
  readonly #limits: readonly Units[];
  /** Whether units that leases hold stay in the bucket. A test sets it to false to see that it matters. */
  readonly #holds: boolean;
  #now = 0;
  #used: number[];
  #held: Hold[] = [];
  #blockedUntil = 0;
  #generations = 0;

  constructor(limits: readonly Units[], { holds = true }: { holds?: boolean } = {}) {
    this.#limits = limits;
    this.#used = limits.map(() => 0);
    this.#holds = holds;
  }

  /** Lets time pass until `now`, in whole ms. */
  pass(now: number): void {
    while (this.#now < now) {
      const next = Math.min(now, ...this.#held.map(({ endsAt }) => endsAt));
      for (const [i, { unitsPerMs }] of this.#limits.entries())
        this.#used[i] = Math.max(this.#floor(i), (this.#used[i] as number) - (next - this.#now) * unitsPerMs);
      this.#now = next;
      this.#held = this.#held.filter(({ endsAt }) => endsAt > next);
    }
  }

  get used(): readonly number[] {
    return [...this.#used];
  }

  /** How many generations hold something. */
  get generations(): number {
    return this.#held.length;
  }

  get blockedMs(): number {
    return Math.max(0, this.#blockedUntil - this.#now);
  }

  take(cost: number): boolean {
    const after = this.#limits.map(({ unitsPerToken }, i) => (this.#used[i] as number) + cost * unitsPerToken);
    if (cost > 0 && this.blockedMs > 0) return false;
    if (!this.#limits.every(({ capacityUnits }, i) => (after[i] as number) <= capacityUnits)) return false;
    this.#used = after;
    return true;
  }

  /** Charges tokens, or refunds them if there are fewer than 0. */
  adjust(tokens: number): void {
    this.#used = this.#limits.map(({ unitsPerToken, capacityUnits }, i) => {
      const after = (this.#used[i] as number) + tokens * unitsPerToken;
      return Math.min(2 * capacityUnits, Math.max(this.#floor(i), after));
    });
  }

  block(ms: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, this.#now + ms);
  }

  reset(): void {
    this.#used = this.#limits.map(() => 0);
    this.#held = [];
    this.#blockedUntil = 0;
  }

  lease(request: LeaseRequest): LeaseGrant {
    const grant = this.#grant(request);
    this.#held = this.#held.filter(({ units }) => units.some((count) => count > 0));
    return grant;
  }

  #grant({ tokens, horizonMs, validMs, handBack }: LeaseRequest): LeaseGrant {
    for (const { generation, held, unspent } of handBack) this.#takeBack(generation, held, unspent);
    const rooms = this.#limits.map(({ unitsPerToken, unitsPerMs, capacityUnits }, i) =>
      Math.floor((capacityUnits + horizonMs * unitsPerMs - (this.#used[i] as number)) / unitsPerToken),
    );
    const granted = this.blockedMs > 0 ? 0 : Math.max(0, Math.min(tokens, ...rooms));
    const before = { used: this.used, held: this.#limits.map((_, i) => this.#floor(i)), blockedMs: this.blockedMs };
    if (granted === 0) return { ...before, tokens: 0, generation: 0 };
    const hold = this.#newest(validMs) ?? this.#start(Math.ceil(1.5 * validMs));
    for (const [i, { unitsPerToken }] of this.#limits.entries()) {
      hold.units[i] = (hold.units[i] as number) + granted * unitsPerToken;
      this.#used[i] = (this.#used[i] as number) + granted * unitsPerToken;
    }
    return { ...before, tokens: granted, generation: hold.generation };
  }

  #takeBack(generation: number, held: number, unspent: number): void {
    const hold = this.#held.find((candidate) => candidate.generation === generation);
    // Without holds, there is nothing to say whether the tokens have drained.
    if (hold === undefined && this.#holds) return;
    for (const [i, { unitsPerToken }] of this.#limits.entries()) {
      if (hold !== undefined) hold.units[i] = Math.max(0, (hold.units[i] as number) - held * unitsPerToken);
      this.#used[i] = Math.max(this.#floor(i), (this.#used[i] as number) - unspent * unitsPerToken);
    }
  }

  #newest(validMs: number): Hold | undefined {
    return this.#held.findLast(({ endsAt }) => endsAt - this.#now >= validMs);
  }

  #start(ms: number): Hold {
    const hold = { generation: ++this.#generations, endsAt: this.#now + ms, units: this.#limits.map(() => 0) };
    this.#held.push(hold);
    this.#held.sort((a, b) => a.endsAt - b.endsAt);
    return hold;
  }

  #floor(i: number): number {
    return this.#holds ? this.#held.reduce((sum, { units }) => sum + (units[i] as number), 0) : 0;
  }
}
