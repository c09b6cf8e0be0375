import { setImmediate } from "node:timers/promises";
import type { Limit, Policy } from "@ratelimit/core";
import type { Awaitable, BackendReply, KeyScope } from "@ratelimit/core/backend";
import { type Entry, ToyBackend } from "./toy-backend.ts";

/** A way to be wrong, and promises that it breaks. */
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

  /** Everything is decided on what was read a moment ago. */
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

/** Promises are named by their first words. */
export const brokenBackends: readonly Broken[] = [
  { what: "keeps floats", Backend: Floats, breaks: ["every answer equals"] },
  { what: "admits a millisecond too late", Backend: Late, breaks: ["what is refused", "every answer equals"] },
  { what: "admits a millisecond too early", Backend: Early, breaks: ["what is refused", "every answer equals"] },
  { what: "is full a millisecond too early", Backend: Hasty, breaks: ["in any window", "every answer equals"] },
  { what: "counts tens of milliseconds", Backend: CoarseClock, breaks: ["what is refused", "a bucket is full when"] },
  {
    what: "has a clock of half the speed",
    Backend: HalfSpeed,
    breaks: ["a caller who sleeps retryAfter", "a caller who sleeps resetAfter"],
  },
  { what: "has a clock of double the speed", Backend: DoubleSpeed, breaks: ["in any window", "so it is for a caller"] },
  { what: "saves idle time beyond a full bucket", Backend: SavesIdleTime, breaks: ["a bucket that is forgotten", "in any window"] },
  { what: "forgets the slack", Backend: ForgetsSlack, breaks: ["the slack of a limit", "every answer equals"] },
  {
    what: "drops the entries of other policies",
    Backend: ForgetsOtherPolicies,
    breaks: ["each of several policies"],
  },
  { what: "drops drained entries of other policies at once", Backend: DropsDrainedEntries, breaks: ["a retryAfter comes true although"] },
  { what: "starts a changed limit with a full bucket", Backend: InheritsNothing, breaks: ["a bucket keeps the time"] },
  { what: "starts a changed limit with a debt", Backend: InheritsDebts, breaks: ["a limit that was lowered"] },
  { what: "does not store what a refused call inherited", Backend: ForgetsWhatItInherits, breaks: ["a limit that was lowered"] },
  { what: "prolongs a block with each refusal", Backend: ProlongsBlocks, breaks: ["a policy with `block`"] },
  { what: "never starts a block", Backend: NeverBlocks, breaks: ["a policy with `block`"] },
  { what: "serves a blocked key", Backend: ChargesTheBlocked, breaks: ["block refuses every call", "a block outlives"] },
  { what: "shortens a block", Backend: ShortensBlocks, breaks: ["block refuses every call"] },
  { what: "charges the limits that fit when another refuses", Backend: ChargesWhatFits, breaks: ["several limits", "every answer equals"] },
  { what: "takes a token more per call", Backend: TakesPerCall, breaks: ["take(a) then take(b)"] },
  { what: "admits what costs much", Backend: MuchIsFree, breaks: ["more cost never", "take(a) then take(b)"] },
  { what: "admits any cost from a full bucket", Backend: FullAdmitsAll, breaks: ["a cost above the burst"] },
  { what: "does not store what a look inherits or cuts", Backend: LooksAreNotStored, breaks: ["a look at such a bucket"] },
  { what: "takes a token for a look", Backend: LooksCost, breaks: ["a look changes nothing"] },
  {
    what: "does not write the clamp on refusal",
    Backend: ClampIsLost,
    breaks: ["what a clock that stepped back", "a limit that was lowered"],
  },
  { what: "takes a clock that stepped back for a full bucket", Backend: StepBackIsFull, breaks: ["a clock that steps back"] },
  { what: "refunds beyond a full bucket", Backend: RefundsBeyondFull, breaks: ["a refund gives back"] },
  { what: "lets a debt grow", Backend: OwesForEver, breaks: ["a charge takes", "what a clock that stepped back"] },
  { what: "lets nobody owe", Backend: NeverOwes, breaks: ["a charge takes", "a debt is paid"] },
  { what: "does not tell what it could not charge", Backend: KeepsUnchargedSecret, breaks: ["a charge takes", "an answer has"] },
  { what: "answers a list for one limit", Backend: AlwaysLists, breaks: ["an answer has"] },
  { what: "finds limits by their position", Backend: LimitsByPosition, breaks: ["a bucket keeps the time"] },
  { what: "keeps all scopes in one table", Backend: OneTable, breaks: ["limiters of different names", "a reset fills"] },
  { what: "decodes names", Backend: DecodesNames, breaks: ["no key reaches"] },
  { what: "normalizes keys", Backend: NormalizesKeys, breaks: ["every key is"] },
  { what: "makes keys well-formed", Backend: WellFormedKeys, breaks: ["every key is", "so are any texts"] },
  { what: "cuts keys", Backend: CutsKeys, breaks: ["every key is"] },
  { what: "keeps keys in a plain object", Backend: PlainObject, breaks: ["every key is"] },
  {
    what: "reads, waits, then writes",
    Backend: ReadsThenWrites,
    breaks: ["of two calls", "of many calls", "of charges and refunds"],
  },
  { what: "gathers what takes, and nothing else", Backend: GathersTakes, breaks: ["calls on one key take"] },
  { what: "resets nothing", Backend: ResetsNothing, breaks: ["a reset fills"] },
  { what: "resets every key", Backend: ResetsAll, breaks: ["a reset fills"] },
  { what: "cannot be closed twice", Backend: ClosesOnce, breaks: ["closing twice"] },
];
