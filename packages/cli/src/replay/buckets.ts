import { ManualClock, type Policy } from "@ratelimit/core";
import { BucketTable, type KeyScope } from "@ratelimit/core/backend";

/** The most buckets to keep. A log that needs more evicts some, which the report says. */
const mostBuckets = 20_000_000;

/** How many buckets are examined for each request, to free those that are full by then. */
const looksPerRequest = 2;
const requestsPerSweep = 256;

/**
 * Core's own buckets on the clock of a log.
 *
 * It is the table behind `MemoryBackend`, which frees full buckets on a timer. A log passes a day in a second, so here every request
 * examines a few: at most half of the table is full buckets that nobody needs.
 */
export class LogBuckets {
  readonly #clock: ManualClock;
  /** A table for each policy, because a table is fastest if it has a single scope. */
  readonly #tables: readonly { readonly table: BucketTable; readonly scope: KeyScope }[];
  #requests = 0;

  /** @param startMs the time of the first request. Counting from there keeps every time exact. */
  constructor(policies: readonly Policy[], startMs: number) {
    this.#clock = new ManualClock(startMs);
    this.#tables = policies.map((policy) => ({ table: new BucketTable(mostBuckets, this.#clock), scope: { prefix: "", policy } }));
  }

  /** How many buckets are kept now. */
  get kept(): number {
    return this.#tables.reduce((sum, { table }) => sum + table.keys, 0);
  }

  /** Buckets that were evicted because there were too many. A client whose bucket was evicted may have been admitted too often. */
  get evictions(): number {
    return this.#tables.reduce((sum, { table }) => sum + table.evictions, 0);
  }

  /** Moves the clock forward to `ms`. */
  moveTo(ms: number): void {
    this.#clock.advance(ms - this.#clock.now());
  }

  /** Takes one token for `key` under the policy with this index. Returns whether the request is admitted. */
  admits(policy: number, key: string): boolean {
    const { table, scope } = this.#tables[policy] as { table: BucketTable; scope: KeyScope };
    return table.take(scope, key, 1).allowed;
  }

  /** To be called after each request. */
  sweep(): void {
    if (++this.#requests % requestsPerSweep !== 0) return;
    for (const { table } of this.#tables) if (table.keys > 0) table.sweep(Math.min(table.keys, requestsPerSweep * looksPerRequest));
  }

  close(): void {
    for (const { table } of this.#tables) table.close();
  }
}
