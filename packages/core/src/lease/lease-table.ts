import type { KeyScope } from "../backend/backend.ts";
import type { KeyLease } from "./key-lease.ts";

/** The most keys to watch from the last while. Beyond that, those that have not been used since are forgotten. */
const mostFresh = 10_000;

type Keys = Map<string, Map<string, KeyLease>>;

/** The keys that may be leased, in a bounded table: those that are merely watched are forgotten when there are too many. */
export class LeaseTable {
  #fresh: Keys = new Map();
  #older: Keys = new Map();
  #freshCount = 0;

  get isEmpty(): boolean {
    return this.#fresh.size === 0;
  }

  find({ prefix }: KeyScope, key: string): KeyLease | undefined {
    const fresh = this.#fresh.get(prefix)?.get(key);
    if (fresh !== undefined) return fresh;
    const older = this.#older.get(prefix)?.get(key);
    if (older !== undefined) this.add(older);
    return older;
  }

  /** Adds a key, or replaces what was known of it. */
  add(lease: KeyLease): void {
    const { prefix } = lease.scope;
    if (this.#freshCount >= mostFresh) this.#forgetOlder();
    const keys = this.#fresh.get(prefix) ?? new Map<string, KeyLease>();
    this.#fresh.set(prefix, keys);
    const before = keys.size;
    keys.set(lease.key, lease);
    this.#freshCount += keys.size - before;
    this.#older.get(prefix)?.delete(lease.key);
  }

  #forgetOlder(): void {
    const older = this.#older;
    this.#older = this.#fresh;
    this.#fresh = new Map();
    this.#freshCount = 0;
    for (const keys of older.values()) for (const lease of keys.values()) if (lease.isInUse) this.#keep(lease);
  }

  #keep(lease: KeyLease): void {
    const { prefix } = lease.scope;
    this.#older.set(prefix, (this.#older.get(prefix) ?? new Map<string, KeyLease>()).set(lease.key, lease));
  }
}
