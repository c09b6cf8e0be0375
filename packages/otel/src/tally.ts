import type { Attributes, Counter } from "@opentelemetry/api";

interface Sum {
  readonly attributes: Attributes;
  count: number;
}

/** Counts for a counter that is added to with every decision. An `add` of the SDK costs more than a microsecond, so it gets sums. */
export class Tally {
  readonly #counter: Counter;
  readonly #sums = new Map<string, Sum>();

  constructor(counter: Counter) {
    this.#counter = counter;
  }

  /** Counts one. `series` must identify the attributes. */
  count(series: string, attributes: () => Attributes): void {
    const sum = this.#sums.get(series);
    if (sum === undefined) this.#sums.set(series, { attributes: attributes(), count: 1 });
    else sum.count++;
  }

  /** Hands the sums to the counter. */
  flush(): void {
    for (const sum of this.#sums.values()) {
      if (sum.count > 0) this.#counter.add(sum.count, sum.attributes);
      sum.count = 0;
    }
  }
}
