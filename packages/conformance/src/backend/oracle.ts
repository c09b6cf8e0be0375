/**
 * What every answer must be: the definition of the token bucket in BigInt, without the units of core.
 *
 * `rate` tokens flow in per `periodMs`, so with a token cut into `periodMs` parts, `rate` parts flow in per millisecond, and
 * nothing is ever rounded. Only what is *stored* is in the units of core, because that is a format (docs/state.md): of each limit, when it
 * is full again and the slack of that last millisecond.
 */

/** One limit, as plain numbers. */
export interface LimitSpec {
  readonly name: string;
  readonly rate: number;
  readonly periodMs: number;
  readonly burst: number;
}

/** What is expected of one limit. */
interface ExpectedLimit {
  readonly name: string;
  readonly remaining: number;
  /** `Infinity` for never. */
  readonly retryMs: number;
  readonly resetMs: number;
  /** In the units of algorithm.md. */
  readonly used: number;
}

/** What is expected of one call. */
export interface Expected {
  readonly allowed: boolean;
  readonly limits: readonly ExpectedLimit[];
  /** The limit that the headline figures come from. */
  readonly tightest: ExpectedLimit;
  /** Whole tokens of a charge that the debt of one burst could not take. */
  readonly uncharged: number;
  readonly blockedMs: number;
}

interface Entry {
  /** The numbers of its limit. */
  readonly id: string;
  readonly fullAt: bigint;
  readonly slack: bigint;
}

/** What a policy finds in a bucket. */
interface Found {
  readonly claimed: readonly bigint[];
  readonly inherits: boolean;
  readonly blockedMs: bigint;
}

const day = 86_400_000n;

/** The bucket of one key, by a clock of its own. */
export class Oracle {
  #now = 0n;
  #entries: readonly Entry[] = [];
  #blockedUntil: bigint | undefined;

  advance(ms: number): void {
    this.#now += BigInt(ms);
  }

  /** Whether something is kept that is over by now: backends may have dropped it or not, which shows if the clock steps back. */
  get isStale(): boolean {
    return (this.#entries.length > 0 || this.#blockedUntil !== undefined) && this.#isOver();
  }

  take(specs: readonly LimitSpec[], cost: number, blockMs: number = 0): Expected {
    const limits = specs.map(exact);
    const { claimed, inherits, blockedMs } = this.#read(limits);
    const before = claimed.map((parts, i) => min(parts, 2n * limits[i]!.full));
    const price = limits.map(({ part }) => BigInt(cost) * part);
    const allowed = (cost === 0 || blockedMs === 0n) && limits.every(({ full }, i) => before[i]! + price[i]! <= full);
    const after = allowed ? before.map((parts, i) => parts + price[i]!) : before;
    const blocks = !allowed && cost > 0 && blockedMs === 0n ? BigInt(blockMs) : 0n;
    const clamped = claimed.some((parts, i) => parts > before[i]!);
    if ((cost > 0 && allowed) || inherits || clamped || blocks > 0n) this.#write(limits, after, max(blockedMs, blocks));
    return expected(limits, after, allowed, cost, max(blockedMs, blocks));
  }

  /** A look that asks whether `cost` would be admitted. */
  peek(specs: readonly LimitSpec[], cost: number): Expected {
    const limits = specs.map(exact);
    const { claimed, inherits, blockedMs } = this.#read(limits);
    const used = claimed.map((parts, i) => min(parts, 2n * limits[i]!.full));
    if (inherits || claimed.some((parts, i) => parts > used[i]!)) this.#write(limits, used, blockedMs);
    const allowed = blockedMs === 0n && limits.every(({ full, part }, i) => used[i]! + BigInt(cost) * part <= full);
    return expected(limits, used, allowed, cost, blockedMs);
  }

  /** Gives back (< 0) or charges (> 0). */
  adjust(specs: readonly LimitSpec[], tokens: number): Expected {
    const limits = specs.map(exact);
    const { claimed, blockedMs } = this.#read(limits);
    const wanted = claimed.map((parts, i) => min(parts, 2n * limits[i]!.full) + BigInt(tokens) * limits[i]!.part);
    const after = wanted.map((parts, i) => max(0n, min(parts, 2n * limits[i]!.full)));
    this.#write(limits, after, blockedMs);
    const beyond = limits.map(({ full, part }, i) => max(0n, ceilDiv(wanted[i]! - 2n * full, part)));
    return { ...expected(limits, after, true, 0, blockedMs), uncharged: Number(beyond.reduce(max)) };
  }

  block(ms: number): void {
    if (this.#isOver()) this.reset();
    this.#entries = this.#entries.filter(({ fullAt }) => fullAt > this.#now - day);
    this.#blockedUntil = this.#now + max(this.#blockedMs(), BigInt(ms));
  }

  reset(): void {
    this.#entries = [];
    this.#blockedUntil = undefined;
  }

  #blockedMs(): bigint {
    return this.#blockedUntil === undefined ? 0n : max(0n, this.#blockedUntil - this.#now);
  }

  #isOver(): boolean {
    return this.#blockedMs() === 0n && this.#entries.every(({ fullAt }) => fullAt <= this.#now);
  }

  /** Limits are found by their numbers. One without an entry inherits what the entries of other policies owe, at most an empty bucket. */
  #read(limits: readonly Exact[]): Found {
    const entries = this.#isOver() ? [] : this.#entries;
    const owed = others(entries, limits).reduce((most, { fullAt }) => max(most, fullAt - this.#now), 0n);
    const own = limits.map(({ id }) => entries.find((entry) => entry.id === id));
    const claimed = limits.map(({ flow, unit, full }, i) => {
      const entry = own[i];
      if (entry === undefined) return min(full, owed * flow);
      const slack = entry.slack * unit;
      return entry.fullAt <= this.#now ? 0n : (entry.fullAt - this.#now) * flow - (slack < flow ? slack : 0n);
    });
    return { claimed, inherits: owed > 0n && own.includes(undefined), blockedMs: this.#blockedMs() };
  }

  /**
   * Entries of other policies stay for a day after they have drained, at most the eight that are furthest from it. A limit that is full
   * has an entry only beside such.
   */
  #write(limits: readonly Exact[], used: readonly bigint[], blockedMs: bigint): void {
    const kept = others(this.#isOver() ? [] : this.#entries, limits).filter(({ fullAt }) => fullAt > this.#now - day);
    while (kept.length > 8) {
      const nearest = kept.reduce((least, { fullAt }) => min(least, fullAt), kept[0]!.fullAt);
      kept.splice(
        kept.findLastIndex(({ fullAt }) => fullAt === nearest),
        1,
      );
    }
    const own = limits.flatMap(({ id, flow, unit }, i) => {
      if (used[i] === 0n && kept.length === 0) return [];
      const ahead = ceilDiv(used[i]!, flow);
      return [{ id, fullAt: this.#now + ahead, slack: (ahead * flow - used[i]!) / unit }];
    });
    this.#entries = [...own, ...kept];
    this.#blockedUntil = blockedMs === 0n ? undefined : this.#now + blockedMs;
    if (this.#isOver()) this.reset();
  }
}

function others(entries: readonly Entry[], limits: readonly Exact[]): Entry[] {
  return entries.filter(({ id }) => !limits.some((limit) => limit.id === id));
}

/** A limit in parts of a token. */
interface Exact {
  readonly name: string;
  /** Parts in a token. */
  readonly part: bigint;
  /** Parts that flow in per millisecond. */
  readonly flow: bigint;
  /** Parts in a full bucket. */
  readonly full: bigint;
  /** Parts in a unit of core. */
  readonly unit: bigint;
  /** What makes two limits one: their numbers in lowest terms. */
  readonly id: string;
}

function exact({ name, rate, periodMs, burst }: LimitSpec): Exact {
  const [part, flow] = [BigInt(periodMs), BigInt(rate)];
  const [full, unit] = [BigInt(burst) * part, gcd(part, flow)];
  return { name, part, flow, full, unit, id: [part / unit, flow / unit, full / unit].join() };
}

function expected(limits: readonly Exact[], used: readonly bigint[], allowed: boolean, cost: number, blockedMs: bigint): Expected {
  const figures = limits.map(({ name, part, flow, full, unit }, i): ExpectedLimit => {
    const missing = used[i]! + BigInt(cost) * part - full;
    const never = BigInt(cost) * part > full;
    return {
      name,
      remaining: blockedMs > 0n ? 0 : Number(max(0n, (full - used[i]!) / part)),
      retryMs: allowed ? 0 : never ? Number.POSITIVE_INFINITY : Number(max(blockedMs, ceilDiv(missing, flow))),
      resetMs: Number(max(blockedMs, ceilDiv(used[i]!, flow))),
      used: Number(used[i]! / unit),
    };
  });
  const tightest = figures.reduce((a, b) => ((allowed ? b.remaining < a.remaining : b.retryMs > a.retryMs) ? b : a));
  return { allowed, limits: figures, tightest, uncharged: 0, blockedMs: Number(blockedMs) };
}

function ceilDiv(a: bigint, b: bigint): bigint {
  return a > 0n ? (a + b - 1n) / b : a / b;
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b);
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
