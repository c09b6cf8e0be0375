import { RateLimitError } from "../errors.ts";
import { expected, expectedSecret } from "../messages.ts";
import { checkOptions, type Rules, rule } from "../validation.ts";

/** Options of a call that takes tokens. */
export interface CostOption {
  /**
   * The tokens that the call takes: a non-negative safe integer. A cost of 0 only reads the bucket.
   * @defaultValue 1
   */
  cost?: number | undefined;
}

/** `checkedCost` checks the cost, because it has an error code of its own. */
const callRules: Rules = { cost: rule.readElsewhere };

/**
 * Returns how many tokens a call asks for.
 * @throws {RateLimitError} INVALID_OPTION if the options are not an object, or unknown.
 */
export function costOf(options: CostOption | undefined): number {
  if (options === undefined) return 1;
  if (!isCostAlone(options)) checkOptions("options", options, callRules);
  return options.cost === undefined ? 1 : options.cost;
}

/** Recognizes the usual options in a few nanoseconds. `checkOptions` takes a hundred times as long. */
function isCostAlone(options: CostOption): boolean {
  if (typeof options !== "object" || options === null || options.cost === undefined) return false;
  for (const option in options) if (option !== "cost") return false;
  return true;
}

/**
 * Returns `cost` if it is valid.
 * @throws {RateLimitError} INVALID_COST, before any backend is asked.
 */
export function checkedCost(cost: number, option: string = "cost"): number {
  if (Number.isSafeInteger(cost) && cost > 0) return cost;
  if (cost === 0) return 0;
  throw notACost(cost, option);
}

function notACost(cost: unknown, option: string): RateLimitError {
  // A string may be anything, for example a header's value.
  const say = typeof cost === "string" ? expectedSecret : expected;
  return new RateLimitError("INVALID_COST", say(option, "a non-negative safe integer", cost, "pass whole tokens, or 0 to take none"));
}
