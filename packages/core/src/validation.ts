import type { RateLimitErrorCode } from "./errors.ts";
import { RateLimitError } from "./errors.ts";
import { expected, unknownNames } from "./messages.ts";

/** What an option must be: the words that tell it, and the test. */
export interface Rule {
  /** Completes "Expected `option` to be …". */
  readonly expects: string;
  readonly accepts: (value: unknown) => boolean;
  /** What to write instead. */
  readonly hint?: string;
  /** The value as a message may show it, where it may hold a secret. */
  readonly mask?: (value: unknown) => unknown;
  /** Accepted, but nothing that anybody would write: messages do not list it. */
  readonly hidden?: true;
}

/** The options that a constructor knows, each with its rule. */
export type Rules = Readonly<Record<string, Rule>>;

/** Options that were read: a plain object without absent ones. */
export type Options = Readonly<Record<string, unknown>>;

/** The rules that more than one constructor has use for. */
export const rule: Readonly<Record<"positiveInteger" | "boolean" | "string" | "function" | "readElsewhere" | "derived", Rule>> = {
  positiveInteger: { expects: "a positive integer", accepts: isPositiveInteger },
  boolean: { expects: "true or false", accepts: (value) => typeof value === "boolean" },
  string: { expects: "a string", accepts: (value) => typeof value === "string" },
  function: { expects: "a function", accepts: (value) => typeof value === "function" },
  /** For options that somebody else reads and judges. */
  readElsewhere: { expects: "anything", accepts: () => true },
  /** For what was worked out from other options, and comes along when a compiled policy is spread. */
  derived: { expects: "anything", accepts: () => true, hidden: true },
};

export function isPositiveInteger(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

interface Problem {
  readonly sentence: string;
  readonly code: RateLimitErrorCode | undefined;
}

/** Everything that is wrong with one construction, told in one error. */
export class Problems {
  readonly #found: Problem[];
  readonly #label: (option: string) => string;
  readonly #code: RateLimitErrorCode | undefined;

  private constructor(found: Problem[], label: (option: string) => string, code?: RateLimitErrorCode) {
    this.#found = found;
    this.#label = label;
    this.#code = code;
  }

  static none(): Problems {
    return new Problems([], String);
  }

  get count(): number {
    return this.#found.length;
  }

  /** The same list for options that their author knows by another name: `limits[0].rate`, `RATELIMIT_RATE`. */
  named(label: (option: string) => string): Problems {
    return new Problems(this.#found, (option) => this.#label(label(option)), this.#code);
  }

  /** The same list for problems that make `code` the code of the error, unless a caller has chosen another. */
  coded(code: RateLimitErrorCode): Problems {
    return new Problems(this.#found, this.#label, this.#code ?? code);
  }

  /** Notes that `option` is not what it must be. */
  add(option: string, expects: string, value: unknown, hint?: string): void {
    this.report(expected(this.#label(option), expects, value, hint));
  }

  /** Notes that `option` breaks its rule. */
  break(option: string, { expects, hint, mask = (shown) => shown }: Rule, value: unknown): void {
    this.add(option, expects, mask(value), hint);
  }

  /** Notes a problem that has a sentence of its own. */
  report(sentence: string): void {
    this.#found.push({ sentence, code: this.#code });
  }

  /** Checks options against their rules. Returns whether `given` is an object at all. */
  checkOptions(what: string, given: unknown, rules: Rules): given is Readonly<Record<string, unknown>> {
    return this.read(what, given, rules) !== undefined;
  }

  /**
   * Checks options against their rules and returns a plain copy of them, or `undefined` if `given` is no object.
   * Inherited options and accessors of a class are read like own ones; a value of `undefined` is absent.
   */
  read(what: string, given: unknown, rules: Rules): Options | undefined {
    const known = Object.keys(rules).filter((option) => !rules[option]?.hidden);
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      this.add(what, "an object of options", given, `known are ${known.join(", ")}`);
      return undefined;
    }
    const options = plainOptions(given, rules);
    const unknown = Object.keys(options).filter((option) => !Object.hasOwn(rules, option));
    for (const sentence of unknownNames("option", unknown, known, this.#label)) this.report(sentence);
    for (const [option, rule] of Object.entries(rules)) {
      const value = options[option];
      if (value !== undefined && !rule.accepts(value)) this.break(option, rule, value);
    }
    return options;
  }

  /** Throws what was found as one error; returns when nothing was. */
  throwIfAny(code: RateLimitErrorCode): void {
    const [first, ...more] = this.#found;
    if (first === undefined) return;
    const all = this.#found.map(({ sentence }) => `\n  - ${sentence}`).join("");
    const message = more.length === 0 ? first.sentence : `${this.count} problems:${all}`;
    throw new RateLimitError(this.#found.find((problem) => problem.code !== undefined)?.code ?? code, message);
  }
}

/**
 * Holds the options of a constructor against its rules, for the backends and adapters that have no other check.
 * @throws {RateLimitError} INVALID_OPTION that tells every problem at once.
 */
export function checkOptions(what: string, given: unknown, rules: Rules): void {
  const problems = Problems.none();
  problems.checkOptions(what, given, rules);
  problems.throwIfAny("INVALID_OPTION");
}

/**
 * Copies options, inherited ones and accessors of a class too, and leaves out what is `undefined`.
 * The copy has no prototype, so that a `__proto__` out of JSON is an unknown option like any other.
 */
export function plainOptions(given: object, rules: Rules): Options {
  const copy = Object.create(null) as Record<string, unknown>;
  for (const option of new Set([...namesIn(given), ...Object.keys(rules)])) {
    const value = (given as Options)[option];
    if (value !== undefined) copy[option] = value;
  }
  return copy;
}

/** Own and inherited names. What somebody has added to every object of the process is no option. */
function namesIn(given: object): string[] {
  const names: string[] = [];
  for (const name in given) if (Object.hasOwn(given, name) || !(name in Object.prototype)) names.push(name);
  return names;
}
