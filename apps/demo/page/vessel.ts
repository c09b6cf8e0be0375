import { type Level, remainingAt, sizeOf, tokensAt } from "./bucket.ts";
import { part } from "./dom.ts";

// The inside of the vessel in the markup's own coordinates.
const [top, bottom] = [14, 166];

/** More marks than this would be a gray area. */
const mostMarks = 30;

/** Draws a bucket. */
export class Vessel {
  readonly #place: HTMLElement;
  readonly #meter: HTMLMeterElement;
  readonly #water: SVGElement;
  readonly #marks: SVGElement;
  #marked = 0;

  constructor(root: ParentNode) {
    this.#place = part(root, "vessel");
    this.#meter = part<HTMLMeterElement>(root, "meter");
    this.#water = part<SVGElement>(root, "water");
    this.#marks = part<SVGElement>(root, "marks");
  }

  draw(level: Level, now: number): void {
    const size = sizeOf(level);
    const share = size === 0 ? 0 : tokensAt(level, now) / size;
    this.#water.setAttribute("transform", `translate(0 ${(bottom - share * (bottom - top)).toFixed(2)})`);
    this.#mark(size);
    this.#place.classList.toggle("blocked", now < level.blockedUntil);
    const remaining = remainingAt(level, now);
    const reading = `${remaining} of ${size} tokens`;
    if (this.#meter.getAttribute("aria-valuetext") === reading) return;
    this.#meter.max = size;
    this.#meter.value = remaining;
    this.#meter.setAttribute("aria-valuetext", reading);
  }

  /** One mark for each token, if there is room for them. */
  #mark(size: number): void {
    if (size === this.#marked) return;
    this.#marked = size;
    const count = size > mostMarks ? 10 : Math.ceil(size);
    const lines = Array.from({ length: count - 1 }, (_, i) => {
      const y = bottom - ((i + 1) / (size > mostMarks ? 10 : size)) * (bottom - top);
      return `M 12 ${y.toFixed(2)} h ${(i + 1) % 5 === 0 ? 14 : 8}`;
    });
    this.#marks.setAttribute("d", lines.join(" "));
  }
}
