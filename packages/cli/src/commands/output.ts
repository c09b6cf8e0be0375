import { once } from "node:events";
import pc from "picocolors";
import { Failure } from "../failure.ts";
import type { Terminal } from "../report/terminal.ts";

/** The terminal that stdout leads to. Without one there are no colors. */
export function terminal(): Terminal {
  const { isTTY, columns } = process.stdout as Partial<typeof process.stdout>;
  // A terminal that does not know its width says 0.
  return { colors: pc.createColors(isTTY === true && pc.isColorSupported), width: columns || 100 };
}

/** Writes to stdout and waits until that has taken it, so that a pipe receives all of it. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value, null, 2)}\n`);
}

/** Parses an option that is a whole number from 1 to `most`. */
export function positiveInteger(option: string, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
    throw new Failure(
      `Expected \`${option}\` to be a whole number from 1 to ${most}, got ${JSON.stringify(text)}: write for example ${option} 10`,
    );
  };
}

/** Parses an option that is a number from `least` to `most`. */
export function numberFrom(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value >= least && value <= most) return value;
    throw new Failure(
      `Expected \`${option}\` to be a number from ${least} to ${most}, got ${JSON.stringify(text)}: write for example ${option} 10`,
    );
  };
}

/** Collects an option that may be given several times. */
export function collected(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
