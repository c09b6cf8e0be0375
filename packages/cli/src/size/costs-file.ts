import { readFile } from "node:fs/promises";
import { Failure, reasonOf } from "../failure.ts";
import type { Costs } from "./costs.ts";
import { measuredCosts } from "./measured.ts";

/**
 * Reads costs that `bench scale` measured on another machine.
 * @throws {Failure} if the file cannot be read or lacks a number.
 */
export async function readCosts(path: string): Promise<Costs> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new Failure(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Failure(`Cannot read ${path}: it is not JSON; give --costs the scale.costs.json that bench scale wrote`, { cause: error });
  }
  const missing = firstDifference(value, measuredCosts, "");
  if (missing !== undefined)
    throw new Failure(
      `Expected \`--costs\` to contain ${missing}, got ${path} without it: give it the scale.costs.json that bench scale wrote`,
    );
  return value as Costs;
}

/** Names the first field of `model` that `value` lacks, or that is not of its kind. Numbers must not be negative. */
function firstDifference(value: unknown, model: unknown, path: string): string | undefined {
  if (typeof model === "number") return Number.isFinite(value) && (value as number) >= 0 ? undefined : `a number \`${path}\` of at least 0`;
  if (typeof model === "string") return typeof value === "string" ? undefined : `a string \`${path}\``;
  const fields = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  for (const [name, inner] of Object.entries(model as object)) {
    const difference = firstDifference(fields[name], inner, path === "" ? name : `${path}.${name}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}
