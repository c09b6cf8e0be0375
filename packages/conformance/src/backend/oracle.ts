/**
 * Computes the exact answer to every call: the definition of the token bucket in BigInt, without core's units.
 *
 * `rate` tokens flow in per `periodMs`, so if a token is cut into `periodMs` parts, `rate` parts flow in per millisecond and nothing is
 * ever rounded. Only the *stored* values use core's units, because they are a documented format (docs/state.md): for each limit, when it
 * is full again and the slack of that last millisecond.
 */

/** One limit as plain numbers. */
export interface LimitSpec {
  readonly name: string;
  readonly rate: number;
  readonly periodMs: number;
  readonly burst: number;
}

/** The expected figures of one limit. */
interface ExpectedLimit {
  readonly name: string;
  readonly remaining: number;
  /** `Infinity` means never. */
  readonly retryMs: number;
  readonly resetMs: number;
  /** In the units of algorithm.md. */
  readonly used: number;
}

/** The expected answer to one call. */
export interface Expected {
  readonly allowed: boolean;
  readonly limits: readonly ExpectedLimit[];
  /** The limit that the result's top-level figures come from. */
  readonly tightest: ExpectedLimit;
  /** Whole tokens of a charge beyond the maximum debt of one burst. */
  readonly uncharged: number;
  readonly blockedMs: number;
}

interface Entry {
  /** Identifies the limit by its numbers. */
  readonly id: string;
  readonly fullAt: bigint;
  readonly slack: bigint;
}

/** The state of a bucket as one policy reads it. */
interface Found {
  readonly claimed: readonly bigint[];
  readonly inherits: boolean;
  readonly blockedMs: bigint;
}

const day = 86_400_000n;

/** The bucket of one key, with its own clock. */
export class Oracle {
  #now = 0n;
  #entries: readonly Entry[] = [];
  #blockedUntil: bigint | undefined;

  advance(ms: number): void {
    this.#now += BigInt(ms);
  }

  /** Whether expired state is still stored. A backend may or may not have dropped it, which shows if the clock steps back. */
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

  /** Reports whether `cost` would be admitted, without taking it. */
  peek(specs: readonly LimitSpec[], cost: number): Expected {
    const limits = specs.map(exact);
    const { claimed, inherits, blockedMs } = this.#read(limits);
    const used = claimed.map((parts, i) => min(parts, 2n * limits[i]!.full));
    if (inherits || claimed.some((parts, i) => parts > used[i]!)) this.#write(limits, used, blockedMs);
    const allowed = blockedMs === 0n && limits.every(({ full, part }, i) => used[i]! + BigInt(cost) * part <= full);
    return expected(limits, used, allowed, cost, blockedMs);
  }

  /** Refunds (`tokens` < 0) or charges (`tokens` > 0). */
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

  /** Finds limits by their numbers. A limit without an entry inherits the time owed by other policies' entries, up to an empty bucket. */
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
   * Keeps other policies' entries for a day after they have drained, at most the eight that take longest to drain. A full limit has an
   * entry only if such entries exist.
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

/** A limit measured in parts of a token. */
interface Exact {
  readonly name: string;
  /** Parts per token. */
  readonly part: bigint;
  /** Parts that flow in per millisecond. */
  readonly flow: bigint;
  /** Parts in a full bucket. */
  readonly full: bigint;
  /** Parts per unit of core. */
  readonly unit: bigint;
  /** The limit's numbers in lowest terms; limits with equal numbers are the same limit. */
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
