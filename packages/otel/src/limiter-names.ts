/** The most names to report. With every outcome and source they still fit the 2,000 series that the SDK keeps of a metric by default. */
const mostNames = 100;

/** What all further names are reported as, so that a program that makes up names cannot create series without end. */
const otherName = "_OTHER";

/** The names of limiters, as far as they are reported. */
export class LimiterNames {
  readonly #names = new Set<string>();
  readonly #onNew: (name: string) => void;

  /** `onNew` is called with each name when it is reported for the first time. */
  constructor(onNew: (name: string) => void) {
    this.#onNew = onNew;
  }

  /** Returns the name to report for a limiter. */
  reported(limiter: string): string {
    if (this.#names.has(limiter)) return limiter;
    const name = this.#names.size < mostNames ? limiter : otherName;
    if (!this.#names.has(name)) {
      this.#names.add(name);
      this.#onNew(name);
    }
    return name;
  }
}
