import { isPositiveInteger, type Rule, type Rules, rule } from "../validation.ts";
import { durationForm, durationMs, timeSpanMs } from "./duration.ts";

/** The name of a limiter or limit that was given none. */
export const defaultName = "default";
const limitName = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** Whether headers can carry `name`. */
export function isLimitName(name: unknown): name is string {
  return typeof name === "string" && limitName.test(name);
}

function durationRule(option: string): Rule {
  return {
    expects: durationForm,
    accepts: (value) => durationMs(value) !== undefined,
    hint: `write ${option}: 60 or ${option}: "1m" (units: ms, s, m, h, d)`,
  };
}

export const limitRules: Rules = {
  rate: {
    expects: "a positive integer",
    accepts: (value) => Object.is(value, 0) || isPositiveInteger(value),
    hint: 'write whole tokens: 2.5 per second is { rate: 5, period: "2s" }, and 0 refuses everything',
  },
  period: durationRule("period"),
  burst: { ...rule.positiveInteger, hint: "leave it out for a bucket of `rate` tokens" },
  name: {
    expects: "a letter followed by at most 63 letters, digits, _, . or -",
    accepts: isLimitName,
    hint: 'it is sent in headers; write for example name: "per-minute"',
  },
  // A compiled limit may be spread into new options. It is then compiled again, so its derived fields are ignored.
  ...Object.fromEntries(
    ["periodMs", "unitsPerToken", "unitsPerMs", "capacityUnits", "fingerprint"].map((option) => [option, rule.derived]),
  ),
};

/** The burst of a limit that refuses everything. */
export const closedBurst: Rule = {
  expects: "absent beside `rate: 0`",
  accepts: (value) => value === 0,
  hint: "leave it out: a closed limit holds no tokens",
};

/** The lease of a policy. */
const leaseRule: Rule = {
  expects: "a length of time with its unit",
  accepts: (value) => timeSpanMs(value) !== undefined,
  hint: 'write lease: "50ms" (a bare 50 would be 50 s)',
};

/** The options of a policy with one limit. */
export const singleRules: Rules = { ...limitRules, block: durationRule("block"), lease: leaseRule };

export const severalRules: Rules = {
  limits: {
    expects: "a non-empty array of limits",
    accepts: (value) => Array.isArray(value) && value.length > 0,
    hint: 'write limits: [{ name: "minute", rate: 100, period: "1m" }]',
  },
  rate: insideLimits(),
  period: insideLimits(),
  burst: insideLimits(),
  block: durationRule("block"),
  lease: leaseRule,
  blockMs: { expects: "that of a compiled policy", accepts: isCount, hint: 'write block: "10m"', hidden: true },
  leaseMs: { expects: "that of a compiled policy", accepts: isCount, hint: 'write lease: "50ms"', hidden: true },
};

/** The names of a policy's options, for constructors that accept them alongside their own. */
export const policyOptions: readonly string[] = Object.keys(severalRules);

/** The rules for a constructor that passes these options on to `readPolicy`, which checks them. */
export const policyRules: Rules = Object.fromEntries(
  Object.entries(severalRules).map(([option, { hidden }]) => [option, hidden ? rule.derived : rule.readElsewhere]),
);

/** Whether `value` is a whole number of at least 0. */
export function isCount(value: unknown): boolean {
  return value === 0 || isPositiveInteger(value);
}

function insideLimits(): Rule {
  return { expects: "absent beside `limits`", accepts: () => false, hint: "move it into an entry of `limits`" };
}
