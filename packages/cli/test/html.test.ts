import { pathToFileURL } from "node:url";
import { findChromium } from "@ratelimit/testbed";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { replayReport } from "../src/commands/replay.ts";
import { htmlReport } from "../src/report/html.ts";
import type { Report } from "../src/report/report.ts";

import { file } from "./support/folder.ts";
import { at, line, lines, type Request, traffic } from "./support/log.ts";

/** What a client could write into a log to run in the report. */
const attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>&amp;';

async function written(
  requests: readonly Request[],
  { compare = ["5/1m"], key = "ip", text = "" } = {},
): Promise<{ path: string; html: string; report: Report }> {
  const log = file("access.log", lines(requests, line.combined) + text);
  const report = await replayReport([log], { key, format: "auto", top: 10, limit: ["20/1m:30"], compare });
  const html = htmlReport(report);
  return { path: file("report.html", html), html, report };
}

const requests = [...traffic({ requests: 20_000, clients: 500, seed: 5 })];

test("the page has no script and asks for nothing", async () => {
  const { html } = await written(
    [...requests, ...at("192.0.2.1", 3000)].map((one) => ({ ...one, agent: attack.replaceAll('"', "'") })),
    {
      key: "header:user-agent",
      text: `${attack}\n`,
    },
  );
  expect(html).not.toMatch(/<(script|img|link|iframe|object)/i);
  expect(html).not.toMatch(/\b(src|href|onerror)="/);
  expect(html).toContain("&#60;script&#62;");
  expect(html).toContain("default-src 'none'");
});

test("every element is closed, and the figures are those of the report", async () => {
  const { html, report } = await written(requests);
  const open: string[] = [];
  for (const [, slash, name = "", end] of html.matchAll(/<(\/?)([a-z][\w-]*)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (slash) expect(open.pop(), `before </${name}>`).toBe(name);
    else if (!end && !/^(meta|br)$/.test(name)) open.push(name);
  }
  expect(open).toEqual([]);
  for (const { refused, refusedClients } of report.policies) {
    expect(html).toContain(`${refused.toLocaleString("en-US")} of ${report.requests.toLocaleString("en-US")}`);
    expect(html).toContain(`${refusedClients.toLocaleString("en-US")} of ${report.clients.toLocaleString("en-US")}`);
  }
});

test("a log without requests makes a page too", async () => {
  const { html } = await written([]);
  expect(html).toContain("The log holds no requests.");
});

test("a log of which no line can be used says so", async () => {
  const { html } = await written(at("-", 0, 0));
  expect(html).toContain("No line of the log could be used.");
  expect(html).not.toContain("The log holds no requests.");
});

test("a wrong time far ahead is pointed out before all figures", async () => {
  const warning = "That is far: a line with a wrong time holds back all lines after it.";
  const { html } = await written(at("192.0.2.1", 0, 86_400, 1, 2));
  expect(html).toContain(warning);
  expect(html.indexOf(warning)).toBeLessThan(html.indexOf("<section>"));
  expect((await written(at("192.0.2.1", 0, 30, 1, 2))).html).not.toContain(warning);
});

const executablePath = findChromium();

describe.skipIf(executablePath === undefined)("in Chromium (skipped if there is none: install chromium, or name it in CHROMIUM)", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath as string, args: ["--no-sandbox"] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  async function opened(
    path: string,
    options: { colorScheme: "light" | "dark"; width: number },
  ): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage({ colorScheme: options.colorScheme, viewport: { width: options.width, height: 900 } });
    onTestFinished(() => page.close());
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith("file:")) complaints.push(request.url());
    });
    await page.goto(pathToFileURL(path).href);
    return { page, complaints };
  }

  test.for([
    { colorScheme: "light", width: 1280 },
    { colorScheme: "dark", width: 1280 },
    { colorScheme: "light", width: 360 },
    { colorScheme: "dark", width: 360 },
  ] as const)("$colorScheme, $width px wide: fits, is readable and shows the figures", { timeout: 60_000 }, async (options) => {
    const { path, report } = await written(requests);
    const { page, complaints } = await opened(path, options);
    const seen = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      const style = getComputedStyle(document.body);
      return {
        overflows: scrollWidth > clientWidth,
        colors: [style.backgroundColor, style.color],
        figures: [...document.querySelectorAll("dd")].map((one) => one.textContent),
        bars: [...document.querySelectorAll("svg")].map((svg) => svg.querySelectorAll("g > rect.all").length),
        tops: [...document.querySelectorAll("section:nth-of-type(2) td:nth-of-type(1)")].map((one) => one.textContent?.trim()),
      };
    });
    expect(complaints).toEqual([]);
    expect(seen.overflows).toBe(false);
    expect(contrast(seen.colors as [string, string])).toBeGreaterThan(7);
    expect(luminance(seen.colors[0] as string) > 0.5).toBe(options.colorScheme === "light");
    const [first] = report.policies;
    expect(seen.figures[0]).toContain(`${first?.refused.toLocaleString("en-US")} of`);
    expect(seen.bars).toEqual([0, ...report.policies.map(() => report.timeline.requests.filter((one) => one > 0).length)]);
    expect(seen.tops).toEqual(first?.topKeys.map(({ refused }) => refused.toLocaleString("en-US")));
  });

  test("what a client wrote into the log does not run", { timeout: 60_000 }, async () => {
    const { path } = await written(at(attack.replaceAll(" ", "\u00a0"), ...Array<number>(50).fill(0)), { text: `${attack}\n` });
    const { page, complaints } = await opened(path, { colorScheme: "light", width: 1280 });
    expect(complaints).toEqual([]);
    expect(await page.title()).toBe("Rate limit report");
    expect(await page.locator("th.key").first().textContent()).toBe(attack.replaceAll(" ", "\u00a0"));
  });
});

/** `rgb(1, 2, 3)` as a share of white. */
function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = [...color.matchAll(/\d+/g)].map(([digits]) => {
    const part = Number(digits) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast([a, b]: readonly [string, string]): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}
