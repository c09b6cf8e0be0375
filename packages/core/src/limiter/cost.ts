import { RateLimitError } from "../errors.ts";
import { expected } from "../messages.ts";
import { checkOptions, isPositiveInteger, type Rules, rule } from "../validation.ts";

/** What one call takes. */
export interface CostOption {
  /**
   * Tokens that the call takes: a non-negative safe integer. A cost of 0 only looks.
   * @defaultValue 1
   */
  cost?: number | undefined;
}

/** A cost has a check of its own, with a code of its own. */
const callRules: Rules = { cost: rule.readElsewhere };

/**
 * Reads how many tokens a call asks for.
 * @throws {RateLimitError} INVALID_OPTION if the options of the call are none, or unknown.
 */
export function costOf(options: CostOption | undefined): number {
  if (options === undefined) return 1;
  if (!isCostAlone(options)) checkOptions("options", options, callRules);
  return options.cost === undefined ? 1 : options.cost;
}

/** Tells the usual options in a few nanoseconds; `checkOptions` takes a hundred times as long. */
function isCostAlone(options: CostOption): boolean {
  if (typeof options !== "object" || options === null || options.cost === undefined) return false;
  for (const option in options) if (option !== "cost") return false;
  return true;
}

/** @throws {RateLimitError} INVALID_COST, before any backend is asked. */
export function checkedCost(cost: number, option: string = "cost"): number {
  if (isPositiveInteger(cost)) return cost;
  if (cost === 0) return 0;
  throw notACost(cost, option);
}

function notACost(cost: unknown, option: string): RateLimitError {
  return new RateLimitError("INVALID_COST", expected(option, "a non-negative safe integer", cost, "pass whole tokens, or 0 to look"));
}
