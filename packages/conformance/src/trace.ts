import type { Awaitable } from "@ratelimit/core/backend";

/** A failure shows this many of the last lines. */
const shownLines = 60;

interface Line {
  readonly at: number;
  readonly what: string;
  /** What came back; `undefined` while nothing has. */
  outcome: string | undefined;
}

/** What a requirement has done so far, with clock times in milliseconds. */
export class Trace {
  readonly #now: () => number;
  #lines: Line[] = [];
  #beginnings = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes an event that has no outcome. */
  note(what: string): void {
    this.#lines.push({ at: this.#now(), what, outcome: "" });
  }

  /** Notes a call, and what came of it as soon as it is known. A call that returns no promise does not become asynchronous. */
  call<T>(what: string, run: () => Awaitable<T>, describe: (value: T) => string): Awaitable<T> {
    const line: Line = { at: this.#now(), what, outcome: undefined };
    this.#lines.push(line);
    const returned = (value: T): T => {
      line.outcome = describe(value);
      return value;
    };
    const failed = (error: unknown): never => {
      line.outcome = `failed: ${error instanceof Error ? error.message : String(error)}`;
      throw error;
    };
    try {
      const value = run();
      return value instanceof Promise ? value.then(returned, failed) : returned(value);
    } catch (error) {
      return failed(error);
    }
  }

  /** Forgets all lines, because what follows does not depend on them. */
  begin(): void {
    this.#lines = [];
    this.#beginnings++;
  }

  /** How often it began anew. */
  get beginnings(): number {
    return this.#beginnings;
  }

  /** Returns a function that brings back the lines as they are now. */
  bookmark(): () => void {
    const lines = this.#lines.slice();
    return () => {
      this.#lines = lines;
    };
  }

  toString(): string {
    const lines = this.#lines.slice(-shownLines).map(({ at, what, outcome }) => {
      const arrow = outcome === "" ? "" : ` -> ${outcome ?? "nothing yet"}`;
      return `${String(Math.round(at * 1000) / 1000).padStart(10)}  ${what}${arrow}`;
    });
    const left = this.#lines.length - lines.length;
    return [...(left > 0 ? [`            (${left} earlier lines)`] : []), ...lines].join("\n");
  }
}

/** The failure of a requirement. Its message names the requirement and shows what led there; `cause` is the assertion that failed. */
export class RequirementError extends Error {
  override readonly name = "RequirementError";

  constructor(requirement: string, trace: Trace, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Requirement not met: ${requirement}\n\n${reason}\n\nUntil then, by the clock in milliseconds:\n${trace}`, { cause });
  }
}
