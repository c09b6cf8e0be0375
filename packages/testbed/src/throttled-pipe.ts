import type { Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

/** One direction of a connection. Bytes arrive in order, each no earlier than its delay, and optionally in small pieces. */
export class ThrottledPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
  }

  send(data: Buffer, delay = 0, slice: number = data.length): void {
    if (this.#waiting === 0 && delay === 0 && slice >= data.length) this.#write(data);
    else this.#queue(delay, () => this.#writePieces(data, slice));
  }

  /** Calls back once everything sent so far has been delivered. */
  afterwards(last: () => void): void {
    this.#queue(0, last);
  }

  #queue(delay: number, deliver: () => void | Promise<void>): void {
    const due = performance.now() + delay;
    this.#waiting++;
    this.#last = this.#last.then(async () => {
      const rest = due - performance.now();
      if (rest > 0) await sleep(Math.ceil(rest));
      await deliver();
      this.#waiting--;
    });
  }

  async #writePieces(data: Buffer, slice: number): Promise<void> {
    for (let at = 0; at < data.length; at += slice) {
      this.#write(data.subarray(at, at + slice));
      await nextTurn();
    }
  }

  #write(data: Buffer): void {
    if (!this.#to.writable || this.#to.write(data) || this.#from.isPaused()) return;
    this.#from.pause();
    this.#to.once("drain", () => this.#from.resume());
  }
}
