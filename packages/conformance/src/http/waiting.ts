import assert from "node:assert/strict";
import { setImmediate, setTimeout } from "node:timers/promises";

/** A gate for a test and a server: one waits until the gate is reached, the other until it opens. */
export interface Gate {
  readonly entered: Promise<void>;
  readonly enter: () => void;
  readonly opened: Promise<void>;
  readonly open: () => void;
  /** Resolves a few turns of the event loop after the gate was made, when anything immediate has happened. */
  readonly soon: Promise<void>;
}

export function gate(): Gate {
  const [entered, opened] = [moment(), moment()];
  return { entered: entered.come, enter: entered.happen, opened: opened.come, open: opened.happen, soon: turns(5) };
}

/** Waits for something that a server does after its response. */
export async function eventually(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 2000;
  while (!(await isTrue())) {
    assert.ok(performance.now() < end, `${what}: not within 2 s`);
    await setTimeout(1);
  }
}

/** Waits for `work`, and fails after `ms` milliseconds. */
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
