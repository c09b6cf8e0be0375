import { say } from "./dom.ts";

const everyMs = 1500;

/** Speaks to screen readers: the newest sentence, but not more often than one can listen to. */
export class Announcer {
  readonly #region: Element;
  #next: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(region: Element) {
    this.#region = region;
  }

  announce(sentence: string): void {
    this.#next = sentence;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      say(this.#region, this.#next ?? "");
    }, everyMs);
  }
}
