import type { BackendReply, KeyScope } from "../backend/backend.ts";
import type { HandedBack, LeaseGrant } from "../backend/lease.ts";
import { Demand } from "./demand.ts";
import { fewestTokens, type LeaseTerms } from "./lease-terms.ts";
import { Lot } from "./lot.ts";

/** How many tokens to ask for, as a multiple of what the key needs within the horizon. */
const ample = 1.25;
/** More is asked for in the background when no more is left than the key needs in this part of the horizon. */
const lowPart = 1 / 8;
/** How early to ask if tokens have to mature first: half the time in which the last grant matures, within these parts of the horizon. */
const [leastLead, mostLead] = [1 / 16, 1 / 4];

/** A call that waits for the answer to a request for tokens. */
export interface WaitingCall {
  /** Tokens that may come from a lease, or `undefined` for a call that only the backend can make. */
  readonly cost: number | undefined;
  /** Whether tokens were asked for on behalf of this call. */
  hasAsked: boolean;
  /** Whether the call was decided without the backend, because it took too long. */
  isOver: boolean;
  /** Settles the call with a reply from a lease. */
  reply(reply: BackendReply): void;
  /** Lets the backend make the call. */
  send(): void;
  /** Decides the call without the backend. */
  giveUp(error: unknown): void;
}

/** What this process knows of one key that may be leased: how busy it is, and the tokens in hand. */
export class KeyLease {
  readonly scope: KeyScope;
  readonly key: string;
  readonly terms: LeaseTerms;
  /** The calls that wait, in the order in which they were made. */
  readonly waiting: WaitingCall[] = [];
  /** The request for tokens that is in flight. */
  asking: Promise<void> | undefined;
  readonly #demand: Demand;
  /** The oldest first. The newest stays even without tokens, because it knows when the next one matures. */
  #lots: Lot[] = [];
  #leadMs = 0;
  #usedAt = 0;
  #quietUntil = 0;

  constructor(scope: KeyScope, key: string, terms: LeaseTerms, now: number) {
    this.scope = scope;
    this.key = key;
    this.terms = terms;
    this.#demand = new Demand(terms.horizonMs, now);
  }

  /** Whether anything would be lost if this object were forgotten. */
  get isInUse(): boolean {
    return this.hasLots || this.asking !== undefined || this.waiting.length > 0;
  }

  get hasLots(): boolean {
    return this.#lots.length > 0;
  }

  /** Counts a call. */
  count(cost: number, now: number): void {
    this.#demand.add(cost, now);
    this.#usedAt = now;
  }

  /** Whether the key is so busy that a lease saves calls. */
  isHot(now: number): boolean {
    return this.#demand.calls >= fewestTokens && now >= this.#quietUntil;
  }

  /** Leases nothing for a while. */
  quiet(ms: number, now: number): void {
    this.#quietUntil = now + ms;
  }

  /** Decides a call with the tokens in hand, or returns `undefined` if it takes more of them to decide it. */
  decide(cost: number, now: number): BackendReply | undefined {
    if (this.#lots.length === 0) return undefined;
    this.#forgetEnded(now);
    const newest = this.#lots.at(-1);
    if (newest === undefined) return undefined;
    for (const lot of this.#lots) if (lot.spend(cost, now)) return { allowed: true, used: newest.used(now), source: "lease" };
    if (newest.fits(cost, now)) return undefined;
    // The oldest lot that can pay is also the first one whose tokens mature.
    const first = this.#lots.find(({ tokens }) => tokens >= cost) ?? newest;
    return { allowed: false, used: first.used(now), source: "lease" };
  }

  /** Whether the key has had no calls for as long as a lease. */
  isIdle(now: number): boolean {
    return now - this.#usedAt >= this.terms.horizonMs;
  }

  /**
   * Whether to ask for more tokens now, so that calls of `cost` tokens do not have to wait for the answer: the tokens in hand will soon be
   * spent, and others will soon have matured.
   *
   * If the key is over its limit, a process is granted what has matured since another one asked. So one that was granted much asks
   * earlier the next time, and in the end all of them ask at equal distances and get equally much.
   */
  isLow(cost: number, now: number): boolean {
    if (this.asking !== undefined) return false;
    const left = this.#lots.reduce((sum, { tokens }) => sum + tokens, 0);
    if (left > lowPart * this.#demand.tokens || !this.isHot(now)) return false;
    const newest = this.#lots.at(-1);
    return newest !== undefined && newest.msUntilFits(left + cost, now) <= this.#leadMs;
  }

  /** How many tokens to ask for when a call of `cost` tokens needs some. */
  want(cost: number): number {
    return Math.max(cost, Math.ceil(ample * this.#demand.tokens));
  }

  /** Takes over what was granted. `sentAt` is when it was asked for. */
  granted(grant: LeaseGrant, sentAt: number, now: number): void {
    const { horizonMs } = this.terms;
    this.#leadMs = Math.max(leastLead * horizonMs, Math.min(mostLead * horizonMs, this.#msToMature(grant.tokens) / 2));
    const lots = this.#lots.filter(({ tokens, isHeld }) => tokens > 0 || isHeld);
    this.#lots = [...lots, new Lot(this.scope.policy.limits, grant, now, sentAt + this.terms.validMs)];
  }

  /** Hands back the tokens that were spent, so that they drain, and keeps the others. */
  handBackSpent(now: number): HandedBack[] {
    this.#forgetEnded(now);
    const parts = this.#lots.map((lot) => ({ generation: lot.generation, ...lot.handBackSpent() }));
    this.#lots = this.#lots.filter((lot, i) => lot.tokens > 0 || i === this.#lots.length - 1);
    return merged(parts);
  }

  /** Hands back all tokens. The next call decides nothing with them. */
  handBackAll(now: number): HandedBack[] {
    this.#forgetEnded(now);
    const parts = this.#lots.map((lot) => ({ generation: lot.generation, ...lot.handBackAll() }));
    this.#lots = [];
    return merged(parts);
  }

  /** Hands back the lots that end within `ms`, if there are tokens left in them, and with them the tokens that were spent. */
  handBackEnding(ms: number, now: number): HandedBack[] {
    this.#forgetEnded(now);
    const isEnding = ({ tokens, endsAt }: Lot): boolean => tokens > 0 && endsAt - now <= ms;
    if (!this.#lots.some(isEnding)) return [];
    const parts = this.#lots.map((lot) => ({
      generation: lot.generation,
      ...(isEnding(lot) ? lot.handBackAll() : lot.handBackSpent()),
    }));
    return merged(parts);
  }

  /** Milliseconds in which so many tokens mature. */
  #msToMature(tokens: number): number {
    return Math.max(...this.scope.policy.limits.map(({ unitsPerToken, unitsPerMs }) => (tokens * unitsPerToken) / unitsPerMs));
  }

  #forgetEnded(now: number): void {
    if (this.#lots.some(({ endsAt }) => now >= endsAt)) this.#lots = this.#lots.filter(({ endsAt }) => now < endsAt);
  }
}

/** Adds up what goes back to each generation. */
function merged(parts: readonly HandedBack[]): HandedBack[] {
  const sums = new Map<number, HandedBack>();
  for (const { generation, held, unspent } of parts) {
    const sum = sums.get(generation) ?? { generation, held: 0, unspent: 0 };
    if (held > 0) sums.set(generation, { generation, held: sum.held + held, unspent: sum.unspent + unspent });
  }
  return [...sums.values()];
}
