import { setTimeout as sleep } from "node:timers/promises";

/**
 * Polls a condition every `every` milliseconds until it is true. An error counts as "not yet", unless it is `Fatal`.
 * @throws {Error} if the condition is not true within `within` milliseconds.
 */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  { within = 15_000, every = 20 }: { within?: number; every?: number } = {},
): Promise<void> {
  const end = performance.now() + within;
  for (;;) {
    let cause: unknown;
    try {
      if (await holds()) return;
    } catch (error) {
      if (error instanceof Fatal) throw error;
      cause = error;
    }
    if (performance.now() > end) throw new Error(`Waited ${within} ms for ${what}.`, { cause });
    await sleep(every);
  }
}

/** Thrown from a condition of `until` when waiting longer cannot help. */
export class Fatal extends Error {
  override readonly name = "Fatal";
}
