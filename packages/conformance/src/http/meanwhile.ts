import assert from "node:assert/strict";
import { setImmediate, setTimeout } from "node:timers/promises";

/** Two moments that a test and a server wait for: somebody has come to the gate, and it is opened. */
export interface Gate {
  readonly entered: Promise<void>;
  readonly enter: () => void;
  readonly opened: Promise<void>;
  readonly open: () => void;
  /** A few turns of the event loop: what was bound to happen at once has happened. */
  readonly soon: Promise<void>;
}

export function gate(): Gate {
  const [entered, opened] = [moment(), moment()];
  return { entered: entered.come, enter: entered.happen, opened: opened.come, open: opened.happen, soon: turns(5) };
}

/** Waits until something that a server does after its response has happened. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 2000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `${what}: not within 2 s`);
    await setTimeout(1);
  }
}

/** Waits for `work`, but no longer than `ms`. */
export async function within(ms: number, work: Promise<void>): Promise<void> {
  const end = new AbortController();
  const late = setTimeout(ms, undefined, { signal: end.signal }).then(() => assert.fail(`not within ${ms} ms`));
  try {
    await Promise.race([work, late]);
  } finally {
    end.abort();
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await setImmediate();
}

function moment(): { come: Promise<void>; happen: () => void } {
  let happen = (): void => {};
  const come = new Promise<void>((resolve) => {
    happen = resolve;
  });
  return { come, happen: () => happen() };
}
