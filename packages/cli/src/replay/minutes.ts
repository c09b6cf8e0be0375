export const minuteMs = 60_000;

/** Counts per minute, in order of time. Minutes without a request are left out. */
export class Minutes {
  /** Minutes since 1970. */
  readonly starts: number[] = [];
  readonly requests: number[] = [];
  /** For each policy, the refused requests of each minute. */
  readonly refused: readonly number[][];

  constructor(policies: number) {
    this.refused = Array.from({ length: policies }, () => []);
  }

  /** The index of the current minute. */
  get last(): number {
    return this.starts.length - 1;
  }

  /** Counts a request at `ms`, which must not be earlier than the one before. Returns whether a new minute began. */
  add(ms: number): boolean {
    const minute = Math.floor(ms / minuteMs);
    const isNew = this.starts[this.last] !== minute;
    if (isNew) {
      this.starts.push(minute);
      this.requests.push(0);
      for (const column of this.refused) column.push(0);
    }
    this.requests[this.last] = (this.requests[this.last] as number) + 1;
    return isNew;
  }

  addRefused(policy: number): void {
    const column = this.refused[policy] as number[];
    column[this.last] = (column[this.last] as number) + 1;
  }
}
