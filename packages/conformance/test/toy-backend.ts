import type { Backend, Limit, ManualClock, Policy } from "@ratelimit/core";
import type { Awaitable, BackendReply, KeyScope } from "@ratelimit/core/backend";

/** The stored state of one limit, or of a block if it has no fingerprint. */
export interface Entry {
  readonly fingerprint?: number;
  readonly fullAt: number;
  readonly slack: number;
}

/** A correct backend, split into small methods so that each broken backend only has to override one or two. */
export class ToyBackend implements Backend {
  protected readonly buckets = new Map<string, readonly Entry[]>();
  protected readonly clock: ManualClock;

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  take(scope: KeyScope, key: string, cost: number): Awaitable<BackendReply> {
    const { limits, blockMs } = scope.policy;
    const claimed = this.read(scope, key);
    const blockedMs = this.blockedMs(scope, key);
    const before = claimed.map((used, i) => Math.min(used, this.most(limits[i] as Limit)));
    const fitting = limits.map((limit, i) => this.fits(limit, before[i] as number, cost));
    const allowed = fitting.every(Boolean) && this.passesBlock(cost, blockedMs);
    const used = before.map((used, i) => used + (this.pays(allowed, fitting[i] as boolean) ? this.price(limits[i] as Limit, cost) : 0));
    const mustStore = claimed.some((used, i) => used > (before[i] as number)) || this.inherits(scope, key);
    const block = !allowed && cost > 0 ? this.blockAfter(blockedMs, blockMs) : blockedMs;
    if (this.writes(cost, allowed, mustStore || block !== blockedMs)) this.write(scope, key, used, block);
    return this.answer(allowed, used, 0, block);
  }

  adjust(scope: KeyScope, key: string, tokens: number): Awaitable<BackendReply> {
    const { limits } = scope.policy;
    const before = this.read(scope, key).map((used, i) => Math.min(used, this.most(limits[i] as Limit)));
    const room = limits.map((limit, i) => Math.floor((this.most(limit) - (before[i] as number)) / limit.unitsPerToken));
    const used = limits.map((limit, i) => {
      const units = Math.max(-2 * limit.burst, Math.min(tokens, room[i] as number)) * limit.unitsPerToken;
      const beyond = tokens > (room[i] as number) ? this.most(limit) : (before[i] as number) + units;
      return Math.max(this.least(limit), beyond);
    });
    const blockedMs = this.blockedMs(scope, key);
    this.write(scope, key, used, blockedMs);
    return this.answer(true, used, Math.max(0, tokens - Math.min(...room)), blockedMs);
  }

  block(scope: KeyScope, key: string, ms: number): Awaitable<void> {
    const until = this.now() + this.longerBlock(this.blockedMs(scope, key), ms);
    const others = this.entries(scope, key).filter(({ fingerprint }) => fingerprint !== undefined);
    this.buckets.set(this.id(scope, key), [...others, { fullAt: until, slack: 0 }]);
  }

  reset(scope: KeyScope, key: string): Awaitable<void> {
    this.buckets.delete(this.id(scope, key));
  }

  close(): Awaitable<void> {}

  protected id(scope: KeyScope, key: string): string {
    return JSON.stringify([scope.prefix, key]);
  }

  protected now(): number {
    return this.clock.now();
  }

  /** Returns the stored entries, or none if all have expired. */
  protected entries(scope: KeyScope, key: string): readonly Entry[] {
    const entries = this.buckets.get(this.id(scope, key)) ?? [];
    return entries.some(({ fullAt }) => fullAt > this.now()) ? entries : [];
  }

  protected read(scope: KeyScope, key: string): number[] {
    const entries = this.entries(scope, key);
    return scope.policy.limits.map((limit, i) => {
      const entry = this.find(entries, scope.policy, i);
      if (entry === undefined) return this.inherited(limit, this.owedByOthers(entries, scope.policy));
      return this.used(limit, entry.fullAt - this.now(), entry.slack);
    });
  }

  protected find(entries: readonly Entry[], { limits }: Policy, i: number): Entry | undefined {
    return entries.find(({ fingerprint }) => fingerprint === limits[i]?.fingerprint);
  }

  protected others(entries: readonly Entry[], { limits }: Policy): Entry[] {
    return entries.filter(({ fingerprint }) => fingerprint !== undefined && !limits.some((limit) => limit.fingerprint === fingerprint));
  }

  protected owedByOthers(entries: readonly Entry[], policy: Policy): number {
    return Math.max(0, ...this.others(entries, policy).map(({ fullAt }) => fullAt - this.now()));
  }

  protected inherited({ capacityUnits: full, unitsPerMs: r }: Limit, owedMs: number): number {
    return Math.min(full, owedMs * r);
  }

  protected inherits(scope: KeyScope, key: string): boolean {
    const entries = this.entries(scope, key);
    const isNew = scope.policy.limits.some((_, i) => this.find(entries, scope.policy, i) === undefined);
    return isNew && this.owedByOthers(entries, scope.policy) > 0;
  }

  protected blockedMs(scope: KeyScope, key: string): number {
    const block = this.entries(scope, key).find(({ fingerprint }) => fingerprint === undefined);
    return block === undefined ? 0 : Math.max(0, block.fullAt - this.now());
  }

  protected passesBlock(cost: number, blockedMs: number): boolean {
    return cost === 0 || blockedMs === 0;
  }

  protected blockAfter(blockedMs: number, blockMs: number): number {
    return blockedMs === 0 ? blockMs : blockedMs;
  }

  protected longerBlock(blockedMs: number, ms: number): number {
    return Math.max(blockedMs, ms);
  }

  protected used({ unitsPerMs: r }: Limit, ahead: number, slack: number): number {
    return ahead > 0 ? ahead * r - (slack < r ? slack : 0) : 0;
  }

  protected write(scope: KeyScope, key: string, used: readonly number[], blockedMs: number): void {
    const others = this.kept(this.others(this.entries(scope, key), scope.policy));
    const own = scope.policy.limits.flatMap((limit, i) => {
      const ahead = this.ahead(limit, used[i] as number);
      const entry = { fingerprint: limit.fingerprint, fullAt: this.now() + ahead, slack: ahead * limit.unitsPerMs - (used[i] as number) };
      return used[i] === 0 && others.length === 0 ? [] : [entry];
    });
    const block = blockedMs > 0 ? [{ fullAt: this.now() + blockedMs, slack: 0 }] : [];
    this.buckets.set(this.id(scope, key), [...own, ...others, ...block]);
  }

  /** Returns the entries of other policies that a write keeps. */
  protected kept(others: readonly Entry[]): Entry[] {
    const kept = others.filter(({ fullAt }) => fullAt > this.now() - 86_400_000);
    while (kept.length > 8) {
      const nearest = Math.min(...kept.map(({ fullAt }) => fullAt));
      kept.splice(
        kept.findLastIndex(({ fullAt }) => fullAt === nearest),
        1,
      );
    }
    return kept;
  }

  protected ahead({ unitsPerMs: r }: Limit, used: number): number {
    return Math.ceil(used / r);
  }

  protected fits({ unitsPerToken: p, capacityUnits: full }: Limit, used: number, cost: number): boolean {
    return cost <= full / p && used + cost * p <= full;
  }

  protected pays(allowed: boolean, _fits: boolean): boolean {
    return allowed;
  }

  protected price({ unitsPerToken: p }: Limit, cost: number): number {
    return cost * p;
  }

  protected writes(cost: number, allowed: boolean, mustStore: boolean): boolean {
    return (cost > 0 && allowed) || mustStore;
  }

  protected most({ capacityUnits: full }: Limit): number {
    return 2 * full;
  }

  protected least(_limit: Limit): number {
    return 0;
  }

  protected answer(allowed: boolean, used: readonly number[], uncharged: number, blockedMs: number): BackendReply {
    return { allowed, used: used.length === 1 ? (used[0] as number) : used, uncharged, ...(blockedMs > 0 && { blockedMs }) };
  }
}
