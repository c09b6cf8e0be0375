/**
 * What every answer must be: the definition of the token bucket in BigInt, without the units of core.
 *
 * `rate` tokens flow in per `periodMs`, so with a token cut into `periodMs` parts, `rate` parts flow in per millisecond, and
 * nothing is ever rounded. Only what is *stored* is in the units of algorithm.md, for that is a format: of each limit that has used
 * something when it is written, when it is full again and the slack of that last millisecond.
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
}

interface Entry {
  readonly name: string;
  readonly fullAt: bigint;
  readonly slack: bigint;
}

/** The bucket of one key, by a clock of its own. */
export class Oracle {
  #now = 0n;
  /** As a policy of one wrote it ("bare": it has no name), or a policy of several; an absent one is a full bucket. */
  #stored: { readonly bare: boolean; readonly entries: readonly Entry[] } | undefined;

  advance(ms: number): void {
    this.#now += BigInt(ms);
  }

  /** Whether something is kept that is over by now: backends may have dropped it or not, which shows if the clock steps back. */
  get isStale(): boolean {
    return this.#stored?.entries.every(({ fullAt }) => fullAt <= this.#now) ?? false;
  }

  take(specs: readonly LimitSpec[], cost: number): Expected {
    const limits = specs.map(exact);
    const claimed = limits.map((limit, i) => this.#read(limits, limit, i));
    const before = claimed.map((parts, i) => min(parts, 2n * limits[i]!.full));
    const price = limits.map(({ part }) => BigInt(cost) * part);
    const allowed = limits.every(({ full }, i) => before[i]! + price[i]! <= full);
    const after = allowed ? before.map((parts, i) => parts + price[i]!) : before;
    if (cost > 0 && (allowed || claimed.some((parts, i) => parts > before[i]!))) this.#write(limits, after);
    return expected(limits, after, allowed, cost);
  }

  /** A look that asks whether `cost` would be admitted. */
  peek(specs: readonly LimitSpec[], cost: number): Expected {
    const limits = specs.map(exact);
    const used = limits.map((limit, i) => min(this.#read(limits, limit, i), 2n * limit.full));
    const allowed = limits.every(({ full, part }, i) => used[i]! + BigInt(cost) * part <= full);
    return expected(limits, used, allowed, cost);
  }

  /** Gives back (< 0) or charges (> 0). */
  adjust(specs: readonly LimitSpec[], tokens: number): Expected {
    const limits = specs.map(exact);
    const wanted = limits.map((limit, i) => min(this.#read(limits, limit, i), 2n * limit.full) + BigInt(tokens) * limit.part);
    const after = wanted.map((parts, i) => max(0n, min(parts, 2n * limits[i]!.full)));
    this.#write(limits, after);
    const beyond = limits.map(({ full, part }, i) => max(0n, ceilDiv(wanted[i]! - 2n * full, part)));
    return { ...expected(limits, after, true, 0), uncharged: Number(beyond.reduce(max)) };
  }

  reset(): void {
    this.#stored = undefined;
  }

  /** Bare belongs to the first limit; entries go by name, and to a policy of one the first of them if none has its name. */
  #read(limits: readonly Exact[], limit: Exact, i: number): bigint {
    if (this.#stored === undefined) return 0n;
    const { bare, entries } = this.#stored;
    const named = entries.find(({ name }) => name === limit.name) ?? (limits.length === 1 ? entries[0] : undefined);
    const entry = bare ? (i === 0 ? entries[0] : undefined) : named;
    if (entry === undefined || entry.fullAt <= this.#now) return 0n;
    const slack = entry.slack * limit.unit;
    return (entry.fullAt - this.#now) * limit.flow - (slack < limit.flow ? slack : 0n);
  }

  /** A limit that is full has no entry, and a bucket without entries is absent. */
  #write(limits: readonly Exact[], used: readonly bigint[]): void {
    const entries = limits.flatMap(({ name, flow, unit }, i) => {
      const ahead = ceilDiv(used[i]!, flow);
      return ahead === 0n ? [] : [{ name, fullAt: this.#now + ahead, slack: (ahead * flow - used[i]!) / unit }];
    });
    this.#stored = entries.length === 0 ? undefined : { bare: limits.length === 1, entries };
  }
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
  /** Parts in a unit of algorithm.md. */
  readonly unit: bigint;
}

function exact({ name, rate, periodMs, burst }: LimitSpec): Exact {
  const [part, flow] = [BigInt(periodMs), BigInt(rate)];
  return { name, part, flow, full: BigInt(burst) * part, unit: gcd(part, flow) };
}

function expected(limits: readonly Exact[], used: readonly bigint[], allowed: boolean, cost: number): Expected {
  const figures = limits.map(({ name, part, flow, full, unit }, i): ExpectedLimit => {
    const missing = used[i]! + BigInt(cost) * part - full;
    const never = BigInt(cost) * part > full;
    return {
      name,
      remaining: Number(max(0n, (full - used[i]!) / part)),
      retryMs: allowed ? 0 : never ? Number.POSITIVE_INFINITY : Number(max(0n, ceilDiv(missing, flow))),
      resetMs: Number(ceilDiv(used[i]!, flow)),
      used: Number(used[i]! / unit),
    };
  });
  const tightest = figures.reduce((a, b) => ((allowed ? b.remaining < a.remaining : b.retryMs > a.retryMs) ? b : a));
  return { allowed, limits: figures, tightest, uncharged: 0 };
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
