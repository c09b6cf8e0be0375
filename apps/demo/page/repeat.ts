/** Calls a function at a steady rate until it is stopped. */
export class Repeat {
  readonly #send: () => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(send: () => void) {
    this.#send = send;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Calls at once, then `perSecond` times a second. */
  start(perSecond: number): void {
    this.stop();
    this.#send();
    this.#timer = setInterval(this.#send, 1000 / perSecond);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
