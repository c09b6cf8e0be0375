import { scaleLinear, scaleUtc } from "d3-scale";
import { type Markup, markup } from "./markup.ts";
import type { PolicyReport, Report } from "./report.ts";
import { count, share, span, time } from "./wording.ts";

const [width, height] = [880, 220];
/** Room for the axes. */
const [left, bottom, top] = [64, 28, 12];

/** Draws the requests of each step as a bar, with the refused ones at its foot. Pointing at a bar shows its figures. */
export function barChart(timeline: Report["timeline"], refused: readonly number[]): Markup {
  const { starts, requests, stepSeconds } = timeline;
  const first = Date.parse(starts[0] as string);
  const end = Date.parse(starts.at(-1) as string) + stepSeconds * 1000;
  const x = scaleUtc([new Date(first), new Date(end)], [left, width]);
  const y = scaleLinear([0, Math.max(...requests)], [height - bottom, top]).nice(4);
  const perBar = (width - left) / starts.length;
  const gap = perBar > 3 ? 1 : 0;
  const bar = (kind: string, at: number, amount: number): Markup | string =>
    amount === 0
      ? ""
      : markup`<rect class="${kind}" x="${at}" y="${rounded(y(amount))}" width="${rounded(perBar - gap)}" height="${rounded(y(0) - y(amount))}"/>`;
  const bars = starts.map((start, i) => {
    const [all, bad] = [requests[i] as number, refused[i] as number];
    const at = rounded(x(new Date(start)));
    return markup`<g>${bar("all", at, all)}${bar("refused", at, bad)}<title>${time(start)}: ${count(bad)} of ${count(all)} refused</title></g>`;
  });
  const ticks = x.ticks(6).map((tick) => {
    const at = x(tick);
    return markup`<text x="${rounded(at)}" y="${height - 8}" text-anchor="${at > width - 24 ? "end" : "middle"}">${tickText(tick)}</text>`;
  });
  return markup`<p class="legend"><span class="swatch all"></span> requests <span class="swatch refused"></span> of these refused, per ${span(stepSeconds)}</p>
<div class="scroll"><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${description(timeline, refused)}">
${y.ticks(4).map((tick) => markup`<line class="grid" x1="${left}" x2="${width}" y1="${rounded(y(tick))}" y2="${rounded(y(tick))}"/><text x="${left - 8}" y="${rounded(y(tick) + 4)}" text-anchor="end">${count(tick)}</text>`)}
${bars}
${ticks}
</svg></div>`;
}

/** What a bar chart shows, for readers who do not see it. */
function description({ starts, requests, stepSeconds }: Report["timeline"], refused: readonly number[]): string {
  const most = Math.max(...refused);
  const peak = `Requests per ${span(stepSeconds)}, at most ${count(Math.max(...requests))}.`;
  if (most === 0) return `${peak} None was refused.`;
  return `${peak} Most were refused at ${time(starts[refused.indexOf(most)] as string)}: ${count(most)}.`;
}

/** `14:30`, or `24 Nov` at midnight. */
function tickText(tick: Date): string {
  const [date = "", clock = ""] = tick.toISOString().split("T");
  if (!clock.startsWith("00:00")) return clock.slice(0, 5);
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(date));
}

const rowHeight = 34;

/** Draws the share of refused requests of each policy as a bar. */
export function compareChart(policies: readonly PolicyReport[], requests: number): Markup {
  const labelWidth = 220;
  const x = scaleLinear([0, Math.max(1, ...policies.map(({ refused }) => refused))], [0, width - labelWidth - 80]);
  const rows = policies.map(({ policy, refused }, i) => {
    const middle = i * rowHeight + rowHeight / 2;
    const end = labelWidth + x(refused);
    return markup`<text x="${labelWidth - 12}" y="${middle + 4}" text-anchor="end">${policy}</text><rect class="refused" x="${labelWidth}" y="${middle - 9}" width="${rounded(Math.max(1, end - labelWidth))}" height="18"/><text x="${rounded(end + 8)}" y="${middle + 4}">${share(refused, requests)}</text>`;
  });
  const shares = policies.map(({ policy, refused }) => `${policy} refuses ${share(refused, requests)} of requests`).join("; ");
  return markup`<div class="scroll"><svg viewBox="0 0 ${width} ${policies.length * rowHeight}" role="img" aria-label="${shares}">${rows}</svg></div>`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
