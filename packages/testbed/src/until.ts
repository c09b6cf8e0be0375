import { setTimeout as sleep } from "node:timers/promises";

/** Asks again every `every` milliseconds until the answer is true; what throws while asking counts as "not yet". */
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
    if (performance.now() > end) throw new Error(`Waited ${within} ms in vain: ${what}.`, { cause });
    await sleep(every);
  }
}

/** Thrown inside `until` when waiting longer cannot help. */
export class Fatal extends Error {
  override readonly name = "Fatal";
}
