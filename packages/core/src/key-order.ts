/** Keys share this many counters: two that meet in one wait for each other now and then, and nothing else. A power of two. */
const counters = 8192;

/** A call that takes its turn. */
export class Turn {
  /** Whether it must have its key to itself; otherwise it may go beside others that need not. */
  readonly alone: boolean;
  readonly counter: number;
  readonly start: () => void;
  state: "waiting" | "started" | "left" = "waiting";

  constructor(counter: number, alone: boolean, start: () => void) {
    this.counter = counter;
    this.alone = alone;
    this.start = start;
  }
}

/** Calls of one counter, from the first that must be alone on. */
interface Line {
  readonly waiting: Turn[];
  /** Whether the one that is alone has started and not left. */
  isTaken: boolean;
}

/**
 * Lets the calls on one key take effect in the order in which they were made, whatever the backend does with them.
 *
 * A backend may carry out a call late: it gathers takes to send them together, a script that Redis does not know is sent again, and a
 * Cluster sends a call on to another node. So what changes a bucket otherwise than by taking (a refund, a charge, a reset) starts when
 * everything before it has been answered, and what comes after it waits for its answer. Takes go beside each other: the backend keeps
 * those in order itself.
 *
 * Counts by a number made of the key, not by the key: a Map of the calls under way would cost a fifth of a busy process's time in
 * garbage collection.
 */
export class KeyOrder {
  /** Takes under way, by counter. */
  readonly #started = new Int32Array(counters);
  /** Only where a call must be alone. */
  readonly #lines = new Map<number, Line>();

  /** Whether a call on this key would start at once, and nothing that must be alone is under way. */
  isFree(key: string): boolean {
    return this.#lines.size === 0 || !this.#lines.has(counterOf(key));
  }

  /** A turn for a call on `key`; `enter` it at once. */
  turn(key: string, alone: boolean, start: () => void): Turn {
    return new Turn(counterOf(key), alone, start);
  }

  /** Starts the call, now or when it may. */
  enter(turn: Turn): void {
    const { counter, alone } = turn;
    const line = this.#lines.get(counter);
    if (line !== undefined) line.waiting.push(turn);
    else if (!alone) this.#start(turn);
    else if (this.#started[counter] === 0) {
      this.#lines.set(counter, { waiting: [], isTaken: true });
      this.#run(turn);
    } else this.#lines.set(counter, { waiting: [turn], isTaken: false });
  }

  /** Ends a turn: the call was answered or given up. One that has not started never will. */
  leave(turn: Turn): void {
    const { counter, alone, state } = turn;
    turn.state = "left";
    if (state !== "started") return;
    const line = this.#lines.get(counter);
    if (!alone) this.#started[counter] = (this.#started[counter] as number) - 1;
    else if (line !== undefined) line.isTaken = false;
    // Not at once: what is given up in the same moment must not start first.
    if (line !== undefined) queueMicrotask(() => this.#advance(counter, line));
  }

  #advance(counter: number, line: Line): void {
    if (this.#lines.get(counter) !== line) return;
    while (!line.isTaken) {
      const [next] = line.waiting;
      if (next === undefined) return void this.#lines.delete(counter);
      if (next.alone && next.state === "waiting") {
        if ((this.#started[counter] as number) > 0) return;
        line.isTaken = true;
      }
      line.waiting.shift();
      if (next.state !== "waiting") continue;
      if (next.alone) this.#run(next);
      else this.#start(next);
    }
  }

  #start(turn: Turn): void {
    this.#started[turn.counter] = (this.#started[turn.counter] as number) + 1;
    this.#run(turn);
  }

  #run(turn: Turn): void {
    turn.state = "started";
    turn.start();
  }
}

/** A number made of the last characters of a key, which is where most keys differ. */
function counterOf(key: string): number {
  const { length } = key;
  let hash = length;
  for (let i = length > 12 ? length - 12 : 0; i < length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 13)) & (counters - 1);
}
