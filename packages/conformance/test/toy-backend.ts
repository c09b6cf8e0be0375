import type { Awaitable, Backend, Limit, ManualClock, Policy, Scope, Take } from "@ratelimit/core";

/** One limit of a bucket; "" is the only one of its policy. */
export interface Entry {
  readonly name: string;
  readonly fullAt: number;
  readonly slack: number;
}

/** An honest backend, cut into so many methods that a dishonest one can be told by the one that it overrides. */
export class ToyBackend implements Backend {
  protected readonly buckets = new Map<string, readonly Entry[]>();
  protected readonly clock: ManualClock;

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  take(scope: Scope, key: string, cost: number): Awaitable<Take> {
    const { limits } = scope.policy;
    const claimed = this.read(scope, key);
    const before = claimed.map((used, i) => Math.min(used, this.most(limits[i] as Limit)));
    const fitting = limits.map((limit, i) => this.fits(limit, before[i] as number, cost));
    const allowed = fitting.every(Boolean);
    const used = before.map((used, i) => used + (this.pays(allowed, fitting[i] as boolean) ? this.price(limits[i] as Limit, cost) : 0));
    const clamped = claimed.some((used, i) => used > (before[i] as number));
    if (this.writes(cost, allowed, clamped)) this.write(scope, key, used);
    return this.answer(allowed, used, 0);
  }

  adjust(scope: Scope, key: string, tokens: number): Awaitable<Take> {
    const { limits } = scope.policy;
    const before = this.read(scope, key).map((used, i) => Math.min(used, this.most(limits[i] as Limit)));
    const room = limits.map((limit, i) => Math.floor((this.most(limit) - (before[i] as number)) / limit.p));
    const used = limits.map((limit, i) => {
      const units = Math.max(-2 * limit.burst, Math.min(tokens, room[i] as number)) * limit.p;
      const beyond = tokens > (room[i] as number) ? this.most(limit) : (before[i] as number) + units;
      return Math.max(this.least(limit), beyond);
    });
    this.write(scope, key, used);
    return this.answer(true, used, Math.max(0, tokens - Math.min(...room)));
  }

  reset(scope: Scope, key: string): Awaitable<void> {
    this.buckets.delete(this.id(scope, key));
  }

  close(): Awaitable<void> {}

  protected id(scope: Scope, key: string): string {
    return JSON.stringify([scope.prefix, key]);
  }

  protected now(): number {
    return this.clock.now();
  }

  protected read(scope: Scope, key: string): number[] {
    const entries = this.buckets.get(this.id(scope, key)) ?? [];
    return scope.policy.limits.map((limit, i) => {
      const entry = this.find(entries, scope.policy, i);
      return entry === undefined ? 0 : this.used(limit, entry.fullAt - this.now(), entry.slack);
    });
  }

  protected find(entries: readonly Entry[], { limits }: Policy, i: number): Entry | undefined {
    const named = entries.find(({ name }) => name === limits[i]?.name || (name === "" && i === 0));
    return named ?? (limits.length === 1 ? entries[0] : undefined);
  }

  protected used({ r }: Limit, ahead: number, slack: number): number {
    return ahead > 0 ? ahead * r - (slack < r ? slack : 0) : 0;
  }

  protected write(scope: Scope, key: string, used: readonly number[]): void {
    const { limits } = scope.policy;
    const entries = limits.flatMap((limit, i) => {
      const ahead = this.ahead(limit, used[i] as number);
      const entry = {
        name: limits.length === 1 ? "" : limit.name,
        fullAt: this.now() + ahead,
        slack: ahead * limit.r - (used[i] as number),
      };
      return used[i] === 0 ? [] : [entry];
    });
    this.buckets.set(this.id(scope, key), entries);
  }

  protected ahead({ r }: Limit, used: number): number {
    return Math.ceil(used / r);
  }

  protected fits({ p, full }: Limit, used: number, cost: number): boolean {
    return cost <= full / p && used + cost * p <= full;
  }

  protected pays(allowed: boolean, _fits: boolean): boolean {
    return allowed;
  }

  protected price({ p }: Limit, cost: number): number {
    return cost * p;
  }

  protected writes(cost: number, allowed: boolean, clamped: boolean): boolean {
    return cost > 0 && (allowed || clamped);
  }

  protected most({ full }: Limit): number {
    return 2 * full;
  }

  protected least(_limit: Limit): number {
    return 0;
  }

  protected answer(allowed: boolean, used: readonly number[], uncharged: number): Take {
    return { allowed, used: used.length === 1 ? (used[0] as number) : used, uncharged };
  }
}
