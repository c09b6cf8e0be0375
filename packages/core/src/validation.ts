import type { RateLimitErrorCode } from "./errors.ts";
import { RateLimitError } from "./errors.ts";
import { expected, type HintOf, unknownNames } from "./messages.ts";
import { peerOptionHint } from "./peer-options.ts";

/** What an option must be: a test, and the words for its error message. */
export interface Rule {
  /** Completes "Expected `option` to be …". */
  readonly expects: string;
  readonly accepts: (value: unknown) => boolean;
  /** Shows what to write instead. */
  readonly hint?: string;
  /** Masks a value that may contain a secret, so that a message can show it. */
  readonly mask?: (value: unknown) => unknown;
  /** Accepted, but not listed in messages, because nobody writes it by hand. */
  readonly hidden?: true;
}

/** The rules for the options of a constructor, by name. */
export type Rules = Readonly<Record<string, Rule>>;

/** Options after they were read: a plain object without absent ones. */
export type Options = Readonly<Record<string, unknown>>;

/** The rules that more than one constructor uses. */
export const rule: Readonly<Record<"positiveInteger" | "boolean" | "string" | "function" | "readElsewhere" | "derived", Rule>> = {
  positiveInteger: { expects: "a positive integer", accepts: isPositiveInteger },
  boolean: { expects: "true or false", accepts: (value) => typeof value === "boolean" },
  string: { expects: "a string", accepts: (value) => typeof value === "string" },
  function: { expects: "a function", accepts: (value) => typeof value === "function" },
  /** For options that are read and checked elsewhere. */
  readElsewhere: { expects: "anything", accepts: () => true },
  /** For values derived from other options, which are present when a compiled policy is spread. */
  derived: { expects: "anything", accepts: () => true, hidden: true },
};

export function isPositiveInteger(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

interface Problem {
  readonly sentence: string;
  readonly code: RateLimitErrorCode | undefined;
}

/** Collects everything that is wrong with a set of options, to report it in one error. */
export class Problems {
  readonly #found: Problem[];
  readonly #label: (option: string) => string;
  readonly #hintOf: HintOf | undefined;
  readonly #code: RateLimitErrorCode | undefined;

  private constructor(found: Problem[], label: (option: string) => string, hintOf: HintOf | undefined, code?: RateLimitErrorCode) {
    this.#found = found;
    this.#label = label;
    this.#hintOf = hintOf;
    this.#code = code;
  }

  /** Starts an empty list. `hintOf` says what to write instead of an unknown option. */
  static none(hintOf?: HintOf): Problems {
    return new Problems([], String, hintOf);
  }

  get count(): number {
    return this.#found.length;
  }

  /** Returns a view of this list that names options as the caller wrote them: `limits[0].rate`, `RATELIMIT_RATE`. */
  named(label: (option: string) => string): Problems {
    return new Problems(this.#found, (option) => this.#label(label(option)), this.#hintOf, this.#code);
  }

  /** Returns a view of this list whose problems give the error the code `code`, unless an outer view has set another. */
  coded(code: RateLimitErrorCode): Problems {
    return new Problems(this.#found, this.#label, this.#hintOf, this.#code ?? code);
  }

  /** Adds the problem that `option` is not what was expected. */
  add(option: string, expects: string, value: unknown, hint?: string): void {
    this.report(expected(this.#label(option), expects, value, hint));
  }

  /** Adds the problem that `option` breaks its rule. */
  break(option: string, { expects, hint, mask = (shown) => shown }: Rule, value: unknown): void {
    this.add(option, expects, mask(value), hint);
  }

  /** Adds a problem in its own words. */
  report(sentence: string): void {
    this.#found.push({ sentence, code: this.#code });
  }

  /** Checks options against their rules. Returns whether `given` is an object. */
  checkOptions(what: string, given: unknown, rules: Rules): given is Readonly<Record<string, unknown>> {
    return this.read(what, given, rules) !== undefined;
  }

  /**
   * Checks options against their rules and returns a plain copy of them, or `undefined` if `given` is not an object.
   * Inherited options and class accessors count like own properties, and an option set to `undefined` counts as absent.
   */
  read(what: string, given: unknown, rules: Rules): Options | undefined {
    const known = Object.keys(rules).filter((option) => !rules[option]?.hidden);
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      this.add(what, "an object of options", given, `known options are ${known.join(", ")}`);
      return undefined;
    }
    const options = plainOptions(given, rules);
    const unknown = Object.keys(options).filter((option) => !Object.hasOwn(rules, option));
    const isListed = (list: string): boolean => this.#found.some(({ sentence }) => sentence.endsWith(list));
    for (const sentence of unknownNames("option", unknown, known, { label: this.#label, isListed, hintOf: this.#hintOf }))
      this.report(sentence);
    for (const [option, optionRule] of Object.entries(rules)) {
      const value = options[option];
      if (value !== undefined && !optionRule.accepts(value)) this.break(option, optionRule, value);
    }
    return options;
  }

  /** Throws one error that lists all problems, if there are any. */
  throwIfAny(code: RateLimitErrorCode): void {
    const [first, ...more] = this.#found;
    if (first === undefined) return;
    const all = this.#found.map(({ sentence }) => `\n  - ${sentence}`).join("");
    const message = more.length === 0 ? first.sentence : `${this.count} problems:${all}`;
    throw new RateLimitError(this.#found.find((problem) => problem.code !== undefined)?.code ?? code, message);
  }
}

/**
 * Checks the options of a constructor against its rules, for backends and adapters that have no other checks.
 * @throws {RateLimitError} INVALID_OPTION, which lists every problem.
 */
export function checkOptions(what: string, given: unknown, rules: Rules): void {
  const problems = Problems.none(peerOptionHint);
  problems.checkOptions(what, given, rules);
  problems.throwIfAny("INVALID_OPTION");
}

/**
 * Copies options, including inherited ones and class accessors, and leaves out those that are `undefined`.
 * The copy has no prototype, so that a `__proto__` from JSON is an unknown option like any other.
 */
export function plainOptions(given: object, rules: Rules): Options {
  const copy = Object.create(null) as Record<string, unknown>;
  for (const option of new Set([...namesIn(given), ...Object.keys(rules)])) {
    const value = (given as Options)[option];
    if (value !== undefined) copy[option] = value;
  }
  return copy;
}

/** Lists own and inherited names, except those that were added to `Object.prototype`. */
function namesIn(given: object): string[] {
  const names: string[] = [];
  for (const name in given) if (Object.hasOwn(given, name) || !(name in Object.prototype)) names.push(name);
  return names;
}

/** Whether an object was written as a literal, or comes from JSON: it is of no class. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
