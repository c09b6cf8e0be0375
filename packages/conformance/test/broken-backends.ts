import { setImmediate } from "node:timers/promises";
import type { Limit, Policy } from "@ratelimit/core";
import type { Awaitable, BackendReply, KeyScope } from "@ratelimit/core/backend";
import { type Entry, ToyBackend } from "./toy-backend.ts";

/** A broken backend, and the requirements that must catch it. */
export interface Broken {
  readonly what: string;
  readonly Backend: typeof ToyBackend;
  readonly breaks: readonly string[];
}

class Floats extends ToyBackend {
  protected override ahead({ unitsPerMs: r }: Limit, used: number): number {
    return used / r;
  }
}

class Late extends ToyBackend {
  protected override fits(limit: Limit, used: number, cost: number): boolean {
    return super.fits(limit, used + limit.unitsPerMs, cost);
  }
}

class Early extends ToyBackend {
  protected override fits(limit: Limit, used: number, cost: number): boolean {
    return super.fits(limit, used - limit.unitsPerMs, cost);
  }
}

class Hasty extends ToyBackend {
  protected override used(limit: Limit, ahead: number, slack: number): number {
    return super.used(limit, ahead - 1, slack);
  }
}

class CoarseClock extends ToyBackend {
  protected override now(): number {
    return Math.floor(super.now() / 10) * 10;
  }
}

class HalfSpeed extends ToyBackend {
  protected override now(): number {
    return Math.floor(super.now() / 2);
  }
}

class DoubleSpeed extends ToyBackend {
  protected override now(): number {
    return super.now() * 2;
  }
}

class SavesIdleTime extends ToyBackend {
  protected override entries(scope: KeyScope, key: string): readonly Entry[] {
    return this.buckets.get(this.id(scope, key)) ?? [];
  }

  protected override used({ unitsPerMs: r }: Limit, ahead: number, slack: number): number {
    return ahead * r - slack;
  }
}

class ForgetsSlack extends ToyBackend {
  protected override used(limit: Limit, ahead: number): number {
    return super.used(limit, ahead, 0);
  }
}

class ForgetsOtherPolicies extends ToyBackend {
  protected override kept(): Entry[] {
    return [];
  }
}

class DropsDrainedEntries extends ToyBackend {
  protected override kept(others: readonly Entry[]): Entry[] {
    return others.filter(({ fullAt }) => fullAt > this.now());
  }
}

class InheritsNothing extends ToyBackend {
  protected override inherited(): number {
    return 0;
  }
}

class InheritsDebts extends ToyBackend {
  protected override inherited({ unitsPerMs: r }: Limit, owedMs: number): number {
    return owedMs * r;
  }
}

class ForgetsWhatItInherits extends ToyBackend {
  protected override inherits(): boolean {
    return false;
  }
}

class ProlongsBlocks extends ToyBackend {
  protected override blockAfter(_blockedMs: number, blockMs: number): number {
    return blockMs;
  }
}

class NeverBlocks extends ToyBackend {
  protected override blockAfter(blockedMs: number): number {
    return blockedMs;
  }
}

class ChargesTheBlocked extends ToyBackend {
  protected override passesBlock(): boolean {
    return true;
  }
}

class ShortensBlocks extends ToyBackend {
  protected override longerBlock(_blockedMs: number, ms: number): number {
    return ms;
  }
}

class ChargesWhatFits extends ToyBackend {
  protected override pays(_allowed: boolean, fits: boolean): boolean {
    return fits;
  }

  protected override writes(cost: number): boolean {
    return cost > 0;
  }
}

class TakesPerCall extends ToyBackend {
  protected override price(limit: Limit, cost: number): number {
    return super.price(limit, cost > 1 ? cost + 1 : cost);
  }
}

class MuchIsFree extends ToyBackend {
  protected override fits(limit: Limit, used: number, cost: number): boolean {
    return cost >= 10 || super.fits(limit, used, cost);
  }
}

class FullAdmitsAll extends ToyBackend {
  protected override fits(limit: Limit, used: number, cost: number): boolean {
    return used === 0 || super.fits(limit, used, cost);
  }
}

class LooksAreNotStored extends ToyBackend {
  protected override writes(cost: number, allowed: boolean, mustStore: boolean): boolean {
    return cost > 0 && (allowed || mustStore);
  }
}

class LooksCost extends ToyBackend {
  override take(scope: KeyScope, key: string, cost: number): Awaitable<BackendReply> {
    return super.take(scope, key, Math.max(1, cost));
  }
}

class ClampIsLost extends ToyBackend {
  protected override writes(cost: number, allowed: boolean): boolean {
    return cost > 0 && allowed;
  }
}

class StepBackIsFull extends ToyBackend {
  protected override used(limit: Limit, ahead: number, slack: number): number {
    return ahead > Math.ceil(limit.capacityUnits / limit.unitsPerMs) ? 0 : super.used(limit, ahead, slack);
  }
}

class RefundsBeyondFull extends SavesIdleTime {
  protected override least({ capacityUnits: full }: Limit): number {
    return -full;
  }

  protected override used({ unitsPerMs: r }: Limit, ahead: number, slack: number): number {
    return ahead * r - slack;
  }
}

class OwesForEver extends ToyBackend {
  protected override most({ capacityUnits: full }: Limit): number {
    return 8 * full;
  }
}

class NeverOwes extends ToyBackend {
  protected override most({ capacityUnits: full }: Limit): number {
    return full;
  }
}

class KeepsUnchargedSecret extends ToyBackend {
  protected override answer(allowed: boolean, used: readonly number[], _uncharged: number, blockedMs: number): BackendReply {
    return super.answer(allowed, used, 0, blockedMs);
  }
}

class AlwaysLists extends ToyBackend {
  protected override answer(allowed: boolean, used: readonly number[], uncharged: number, blockedMs: number): BackendReply {
    return { ...super.answer(allowed, used, uncharged, blockedMs), used };
  }
}

class LimitsByPosition extends ToyBackend {
  protected override find(entries: readonly Entry[], _policy: Policy, i: number): Entry | undefined {
    return entries[i];
  }
}

class OneTable extends ToyBackend {
  protected override id(_scope: KeyScope, key: string): string {
    return JSON.stringify(key);
  }
}

class DecodesNames extends ToyBackend {
  protected override id({ prefix }: KeyScope, key: string): string {
    return decodeURIComponent(prefix) + key;
  }
}

class NormalizesKeys extends ToyBackend {
  protected override id(scope: KeyScope, key: string): string {
    return super.id(scope, key.normalize());
  }
}

class WellFormedKeys extends ToyBackend {
  protected override id(scope: KeyScope, key: string): string {
    return super.id(scope, key.toWellFormed());
  }
}

class CutsKeys extends ToyBackend {
  protected override id(scope: KeyScope, key: string): string {
    return super.id(scope, key.slice(0, 255));
  }
}

class PlainObject extends ToyBackend {
  readonly #object: Record<string, readonly Entry[]> = {};
  protected override readonly buckets = Object.assign(new Map<string, readonly Entry[]>(), {
    get: (id: string) => this.#object[id],
    set: (id: string, entries: readonly Entry[]) => {
      this.#object[id] = entries;
    },
  }) as Map<string, readonly Entry[]>;

  protected override id({ prefix }: KeyScope, key: string): string {
    return prefix.includes("-") ? key : prefix + key;
  }
}

class ReadsThenWrites extends ToyBackend {
  override async take(scope: KeyScope, key: string, cost: number): Promise<BackendReply> {
    return this.#late(scope, key, () => super.take(scope, key, cost));
  }

  override async adjust(scope: KeyScope, key: string, tokens: number): Promise<BackendReply> {
    return this.#late(scope, key, () => super.adjust(scope, key, tokens));
  }

  /** Decides on the state that was read one turn of the event loop earlier. */
  async #late(scope: KeyScope, key: string, decide: () => Awaitable<BackendReply>): Promise<BackendReply> {
    const id = this.id(scope, key);
    const read = this.buckets.get(id);
    await setImmediate();
    if (read === undefined) this.buckets.delete(id);
    else this.buckets.set(id, read);
    return decide();
  }
}

class GathersTakes extends ToyBackend {
  override async take(scope: KeyScope, key: string, cost: number): Promise<BackendReply> {
    await setImmediate();
    return super.take(scope, key, cost);
  }
}

class ResetsNothing extends ToyBackend {
  override reset(): void {}
}

class ResetsAll extends ToyBackend {
  override reset(): void {
    this.buckets.clear();
  }
}

class ClosesOnce extends ToyBackend {
  #closed = false;

  override close(): void {
    if (this.#closed) throw new Error("already closed");
    this.#closed = true;
  }
}

/** `breaks` names requirements by their first words. */
export const brokenBackends: readonly Broken[] = [
  { what: "stores floats", Backend: Floats, breaks: ["every answer equals"] },
  { what: "admits a millisecond too late", Backend: Late, breaks: ["a refused call", "every answer equals"] },
  { what: "admits a millisecond too early", Backend: Early, breaks: ["a refused call", "every answer equals"] },
  { what: "is full a millisecond too early", Backend: Hasty, breaks: ["any window of length", "every answer equals"] },
  { what: "counts time in steps of 10 ms", Backend: CoarseClock, breaks: ["a refused call", "a bucket is full when"] },
  {
    what: "has a clock that runs at half speed",
    Backend: HalfSpeed,
    breaks: ["a caller that sleeps for retryAfter", "a caller that sleeps for resetAfter"],
  },
  { what: "has a clock that runs at double speed", Backend: DoubleSpeed, breaks: ["any window of length", "the same bound"] },
  { what: "saves idle time beyond a full bucket", Backend: SavesIdleTime, breaks: ["forgetting a bucket", "any window of length"] },
  { what: "forgets the slack", Backend: ForgetsSlack, breaks: ["a limit's slack", "every answer equals"] },
  {
    what: "drops the entries of other policies",
    Backend: ForgetsOtherPolicies,
    breaks: ["when several policies"],
  },
  { what: "drops drained entries of other policies at once", Backend: DropsDrainedEntries, breaks: ["a retryAfter stays"] },
  { what: "starts a changed limit with a full bucket", Backend: InheritsNothing, breaks: ["a bucket keeps the time"] },
  { what: "starts a changed limit with a debt", Backend: InheritsDebts, breaks: ["a lowered limit"] },
  { what: "does not store what a refused call inherited", Backend: ForgetsWhatItInherits, breaks: ["a lowered limit"] },
  { what: "prolongs a block with each refusal", Backend: ProlongsBlocks, breaks: ["a policy with `block`"] },
  { what: "never starts a block", Backend: NeverBlocks, breaks: ["a policy with `block`"] },
  { what: "serves a blocked key", Backend: ChargesTheBlocked, breaks: ["a block refuses", "a block survives"] },
  { what: "shortens a block", Backend: ShortensBlocks, breaks: ["a block refuses"] },
  {
    what: "charges the limits that fit even if another refuses",
    Backend: ChargesWhatFits,
    breaks: ["several limits", "every answer equals"],
  },
  { what: "takes an extra token per call", Backend: TakesPerCall, breaks: ["take(a) then take(b)"] },
  { what: "admits any high cost", Backend: MuchIsFree, breaks: ["a higher cost", "take(a) then take(b)"] },
  { what: "admits any cost from a full bucket", Backend: FullAdmitsAll, breaks: ["a cost above the burst"] },
  { what: "does not store what a peek inherits or clamps", Backend: LooksAreNotStored, breaks: ["a peek after"] },
  { what: "takes a token for a peek", Backend: LooksCost, breaks: ["peeking changes nothing"] },
  {
    what: "does not store the clamp on a refusal",
    Backend: ClampIsLost,
    breaks: ["after the clock", "a lowered limit"],
  },
  { what: "treats a bucket as full after the clock steps back", Backend: StepBackIsFull, breaks: ["a clock that steps back"] },
  { what: "refunds beyond a full bucket", Backend: RefundsBeyondFull, breaks: ["a refund returns"] },
  { what: "lets a debt grow beyond one burst", Backend: OwesForEver, breaks: ["a charge takes", "after the clock"] },
  { what: "never goes into debt", Backend: NeverOwes, breaks: ["a charge takes", "a debt is paid"] },
  { what: "does not report what it could not charge", Backend: KeepsUnchargedSecret, breaks: ["a charge takes", "a reply reports"] },
  { what: "replies with a list for a single limit", Backend: AlwaysLists, breaks: ["a reply reports"] },
  { what: "finds limits by their position", Backend: LimitsByPosition, breaks: ["a bucket keeps the time"] },
  { what: "keeps all scopes in one table", Backend: OneTable, breaks: ["limiters with different", "a reset fills"] },
  { what: "decodes names", Backend: DecodesNames, breaks: ["no key reaches"] },
  { what: "normalizes keys", Backend: NormalizesKeys, breaks: ["every key has"] },
  { what: "replaces lone surrogates in keys", Backend: WellFormedKeys, breaks: ["every key has", "arbitrary strings have"] },
  { what: "truncates keys", Backend: CutsKeys, breaks: ["every key has"] },
  { what: "keeps keys in a plain object", Backend: PlainObject, breaks: ["every key has"] },
  {
    what: "reads, waits, then writes",
    Backend: ReadsThenWrites,
    breaks: ["of two calls", "of many calls", "no charge or refund"],
  },
  { what: "delays takes but no other calls", Backend: GathersTakes, breaks: ["calls on one key take"] },
  { what: "resets nothing", Backend: ResetsNothing, breaks: ["a reset fills"] },
  { what: "resets every key", Backend: ResetsAll, breaks: ["a reset fills"] },
  { what: "fails when closed twice", Backend: ClosesOnce, breaks: ["closing twice"] },
];
