import uPlot from "uplot";
import { type Mark, outagesIn } from "./marks.ts";

/** How much time is shown, and how often it is drawn. */
const [windowMs, everyMs] = [30_000, 40];
/** The range of decision times that is shown, and what every decision must stay below while Redis is out. */
const [fastestMs, slowestMs, promisedMs] = [0.1, 1000, 150];

/** Draws the decisions of the last 30 seconds: when each was made, how long it took, what it was, and whether Redis was out. */
export class Timeline {
  readonly #plot: uPlot;
  readonly #place: HTMLElement;
  #marks: Mark[] = [];
  #drawnAt = 0;
  #colors: Record<string, string> = {};

  constructor(place: HTMLElement) {
    this.#place = place;
    this.#plot = new uPlot(this.#options(), [[0], [null]], place);
    new ResizeObserver(() => this.#resize()).observe(place);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.#readColors());
    this.#readColors();
  }

  add(mark: Mark): void {
    this.#marks.push(mark);
  }

  clear(): void {
    this.#marks = [];
  }

  draw(now: number): void {
    if (now - this.#drawnAt < everyMs) return;
    this.#drawnAt = now;
    const first = this.#marks.findIndex(({ at }) => at >= now - windowMs - 1000);
    this.#marks = first < 0 ? [] : this.#marks.slice(first);
    this.#plot.setScale("x", { min: (now - windowMs) / 1000, max: now / 1000 });
  }

  #resize(): void {
    this.#plot.setSize({ width: this.#place.clientWidth, height: this.#place.clientHeight });
  }

  #readColors(): void {
    const style = getComputedStyle(this.#place);
    const names = ["ok", "no", "local-wash", "line", "muted", "ink"];
    this.#colors = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.#plot.redraw();
  }

  #options(): uPlot.Options {
    const color = (name: string) => () => this.#colors[name] ?? "gray";
    const font = "11px system-ui, sans-serif";
    const ago = (seconds: number): string => {
      const past = Math.round(performance.now() / 1000 - seconds);
      return past <= 0 ? "now" : `−${past} s`;
    };
    return {
      width: this.#place.clientWidth || 300,
      height: this.#place.clientHeight || 130,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 20, 0, 0],
      scales: { x: { time: false, auto: false }, y: { distr: 3, range: [fastestMs, slowestMs] } },
      series: [{}, { paths: () => null, points: { show: false } }],
      axes: [
        {
          stroke: color("muted"),
          font,
          size: 28,
          gap: 8,
          ticks: { show: false },
          grid: { show: false },
          splits: (_plot, _axis, min, max) => [max - 30, max - 20, max - 10, max].filter((at) => at >= min - 0.001),
          values: (_plot, splits) => splits.map(ago),
        },
        {
          stroke: color("muted"),
          font,
          size: 48,
          gap: 6,
          ticks: { show: false },
          grid: { stroke: color("line"), width: 1 },
          splits: () => [0.1, 1, 10, 100, 1000],
          filter: (_plot, splits) => splits,
          values: () => ["0.1 ms", "1 ms", "10 ms", "100 ms", "1 s"],
        },
      ],
      hooks: { drawClear: [(plot) => this.#drawLocal(plot)], draw: [(plot) => this.#drawMarks(plot)] },
    };
  }

  /** A wash behind the times at which the process decided alone. */
  #drawLocal(plot: uPlot): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = this.#colors["local-wash"] ?? "";
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.beginPath();
    for (const { from, to } of outagesIn(this.#marks)) {
      const [left, right] = [plot.valToPos(from / 1000, "x", true), plot.valToPos(to / 1000, "x", true)];
      ctx.rect(left, bbox.top, Math.max(right - left, 4 * devicePixelRatio), bbox.height);
    }
    ctx.fill();
    ctx.restore();
  }

  #drawMarks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const unit = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top - 4 * unit, bbox.width + 6 * unit, bbox.height + 8 * unit);
    ctx.clip();
    this.#drawPromise(plot);
    ctx.lineWidth = 2 * unit;
    ctx.lineCap = "round";
    for (const { at, tookMs, allowed } of this.#marks) {
      const x = plot.valToPos(at / 1000, "x", true);
      const y = plot.valToPos(Math.min(slowestMs, Math.max(fastestMs, tookMs)), "y", true);
      ctx.beginPath();
      if (allowed) {
        ctx.fillStyle = this.#colors["ok"] ?? "";
        ctx.arc(x, y, 3.5 * unit, 0, 2 * Math.PI);
        ctx.fill();
      } else {
        const arm = 3 * unit;
        ctx.strokeStyle = this.#colors["no"] ?? "";
        ctx.moveTo(x - arm, y - arm);
        ctx.lineTo(x + arm, y + arm);
        ctx.moveTo(x + arm, y - arm);
        ctx.lineTo(x - arm, y + arm);
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  /** The line that no decision may cross. */
  #drawPromise(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const y = plot.valToPos(promisedMs, "y", true);
    ctx.strokeStyle = this.#colors["muted"] ?? "";
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillStyle = this.#colors["muted"] ?? "";
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    ctx.fillText("150 ms: the most a decision may take", bbox.left + 4 * devicePixelRatio, y - 2 * devicePixelRatio);
  }
}
