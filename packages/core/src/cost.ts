import { RateLimitError } from "./errors.ts";
import { expected } from "./message.ts";
import { isPositiveInteger } from "./problems.ts";

/** What one call takes. */
export interface CostOption {
  /** Tokens: a non-negative safe integer; 1. A cost of 0 only looks. */
  cost?: number | undefined;
}

/** Tokens that a call asks for. */
export function costOf(options: CostOption | undefined): number {
  if (options === undefined) return 1;
  if (typeof options !== "object" || options === null) throw notOptions(options);
  return options.cost === undefined ? 1 : options.cost;
}

/** @throws {RateLimitError} INVALID_COST, before any backend is asked. */
export function checkedCost(cost: number, option: string = "cost"): number {
  if (isPositiveInteger(cost)) return cost;
  if (cost === 0) return 0;
  throw notACost(cost, option);
}

function notOptions(options: unknown): RateLimitError {
  return new RateLimitError("INVALID_OPTION", expected("options", "an object", options, "write { cost: 2 }"));
}

function notACost(cost: unknown, option: string): RateLimitError {
  return new RateLimitError("INVALID_COST", expected(option, "a non-negative safe integer", cost, "whole tokens, 0 to look"));
}
