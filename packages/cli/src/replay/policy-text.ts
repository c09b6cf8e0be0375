import { type Duration, definePolicy, type LimitOptions, type Policy } from "@ratelimit/core";
import { Failure } from "../failure.ts";

/** A policy, and how the user wrote it: `100/1m:150`, or several limits as `10/1s+1000/1h`. */
export interface WrittenPolicy {
  readonly text: string;
  readonly policy: Policy;
}

const limitForm = /^(\d+)\/(?:(\d+(?:\.\d+)?)(ms|s|m|h|d)?|(ms|s|m|h|d))(?::(\d+))?$/;

/** Reads a policy that was given as the option `option`. */
export function parsePolicy(option: string, text: string, block?: string): WrittenPolicy {
  const limits = text.split("+").map((limit) => limitOf(option, limit));
  const [first, ...others] = limits as [LimitOptions, ...LimitOptions[]];
  const named = limits.map((limit, i) => ({ ...limit, name: `limit-${i + 1}` })) as [LimitOptions, ...LimitOptions[]];
  const blocking = { block: block === undefined ? undefined : durationOf(block) };
  try {
    return { text, policy: definePolicy(others.length === 0 ? { ...first, ...blocking } : { limits: named, ...blocking }) };
  } catch (error) {
    const { message } = error as Error;
    throw new Failure(`Cannot use ${option} ${text}: ${message.charAt(0).toLowerCase()}${message.slice(1)}`, { cause: error });
  }
}

/** Reads what `--limit` and `--burst` say together: one policy, with as many limits as there are `--limit`. */
export function parseLimits(limits: readonly string[], burst?: string, block?: string): WrittenPolicy {
  const text = limits.join("+");
  if (burst === undefined) return parsePolicy("--limit", text, block);
  if (!/^\d+$/.test(burst))
    throw new Failure(
      `Expected \`--burst\` to be a positive integer, got ${JSON.stringify(burst)}: leave it out for a bucket of one period`,
    );
  if (text.includes("+") || text.includes(":"))
    throw new Failure(`Expected \`--burst\` to go with one --limit that has no burst, got ${text}: write --limit 100/1m:150`);
  return parsePolicy("--limit", `${text}:${burst}`, block);
}

/** Reads a length of time that was given as the option `option`, as a period of `--limit` is written: `1m`, `m` or a number of seconds. */
export function durationMs(option: string, text: string): number {
  if (!/^(\d+(\.\d+)?)?(ms|s|m|h|d)?$/.test(text) || text === "" || Number.parseFloat(text) === 0)
    throw new Failure(
      `Expected \`${option}\` to be a length of time, got ${JSON.stringify(text)}: write for example ${option} 1m (units: ms, s, m, h, d)`,
    );
  return parsePolicy(option, `1/${text}`).policy.limits[0].periodMs;
}

/** Reads a length of time for the library, which checks it. A bare number is seconds. */
export function durationOf(text: string): Duration {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** Writes a limit the way `--limit` takes it. */
export function limitText(rate: number, period: string, burst: number = rate): string {
  return burst === rate ? `${rate}/${period}` : `${rate}/${period}:${burst}`;
}

function limitOf(option: string, text: string): LimitOptions {
  const [, rate, amount, unit, bareUnit, burst] = limitForm.exec(text) ?? [];
  if (rate === undefined)
    throw new Failure(
      `Expected \`${option}\` to be RATE/PERIOD or RATE/PERIOD:BURST, got ${JSON.stringify(text)}: write for example ${option} 100/1m`,
    );
  const period = bareUnit === undefined ? (unit === undefined ? Number(amount) : `${amount}${unit}`) : `1${bareUnit}`;
  return { rate: Number(rate), period, burst: burst === undefined ? undefined : Number(burst) };
}
