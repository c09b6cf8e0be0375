import { definePolicy, type Limit } from "@ratelimit/core/backend";

/** The fields of the form, as typed. */
export type Fields = Readonly<Record<"block" | "burst" | "cost" | "period" | "rate", string>>;

/** A valid form. */
export interface Rule {
  readonly limit: Limit;
  readonly cost: number;
  /** The query that makes a server apply this rule. */
  readonly query: Readonly<Record<string, string>>;
  /** What you would write in your own server. */
  readonly code: string;
}

/**
 * Reads the form. Core checks it, as it checks the options of any server.
 * @throws {Error} if a field is wrong; its message says what to write instead
 */
export function readRule({ rate, period, burst, cost, block }: Fields): Rule {
  const options = {
    rate: numberIn(rate),
    period: spanIn(period),
    ...(burst.trim() !== "" && { burst: numberIn(burst) }),
    ...(block.trim() !== "" && { block: spanIn(block) }),
  };
  const { limits } = definePolicy(options);
  const [limit] = limits;
  const tokens = numberIn(cost);
  if (!Number.isSafeInteger(tokens) || tokens < 1) throw new Error(`Expected \`cost\` to be a positive integer, got ${cost || "nothing"}`);
  const query = {
    rate: String(limit.rate),
    period: options.period,
    burst: String(limit.burst),
    cost: String(tokens),
    ...(options.block !== undefined && { block: options.block }),
  };
  return { limit, cost: tokens, query, code: codeOf({ ...options, ...(tokens !== 1 && { cost: tokens }) }) };
}

/** An empty field is not 0. */
function numberIn(field: string): number {
  return field.trim() === "" ? Number.NaN : Number(field);
}

/** A bare number is seconds. */
function spanIn(field: string): string {
  const span = field.trim();
  return /^\d+(\.\d+)?$/.test(span) ? `${span}s` : span;
}

function codeOf(options: Readonly<Record<string, number | string>>): string {
  const written = Object.entries(options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return `rateLimit({ ${written.join(", ")} })`;
}
