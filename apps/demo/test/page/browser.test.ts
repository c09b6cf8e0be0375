import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findChromium } from "@ratelimit/testbed";
import axe from "axe-core";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Decision } from "../../src/play/decision.ts";
import { demoWithPage, open } from "../support/page.ts";
import type { Program } from "../support/program.ts";

// Starting a browser and three processes is slow on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

/** Git ignores it, and CI keeps it. */
const screenshots = join(import.meta.dirname, "../../screenshots");
const executablePath = findChromium();
if (executablePath === undefined)
  console.warn("The demo's page is not opened: there is no Chromium. Install chromium, or name it in CHROMIUM");

interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly decision: Decision;
}

describe.skipIf(executablePath === undefined)("in Chromium (skipped if there is none: install chromium, or name it in CHROMIUM)", () => {
  let demo: Program;
  let browser: Browser;
  beforeAll(async () => {
    mkdirSync(screenshots, { recursive: true });
    demo = await demoWithPage();
    browser = await chromium.launch({ executablePath: executablePath as string, args: ["--no-sandbox"] });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await demo?.[Symbol.asyncDispose]();
  });

  interface Opened {
    readonly page: Page;
    readonly panels: readonly [Locator, Locator];
    /** Every response of the servers, in the order of their arrival. */
    readonly seen: Seen[];
    /** What the page should not have done. */
    readonly complaints: string[];
  }

  async function opened({ colorScheme = "light", width = 1280 }: { colorScheme?: "dark" | "light"; width?: number } = {}): Promise<Opened> {
    const { url } = await open(demo);
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 1000 } });
    onTestFinished(() => page.close());
    const seen: Seen[] = [];
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      // Chromium reports every refusal in the console, and refusals are what the page is for.
      if (!/status of 429 /.test(message.text())) complaints.push(message.text());
    });
    page.on("request", (request) => {
      if (new URL(request.url()).hostname !== "127.0.0.1") complaints.push(`asked ${request.url()}`);
    });
    page.on("response", (response) => {
      const { "demo-decision": decision, ...headers } = response.headers();
      if (decision !== undefined) seen.push({ status: response.status(), headers, decision: JSON.parse(decision) as Decision });
    });
    await page.goto(url);
    await page.locator('main[aria-busy="false"]').waitFor();
    return { page, panels: [page.locator(".panel").nth(0), page.locator(".panel").nth(1)], seen, complaints };
  }

  const button = (panel: Locator | Page, name: string): Locator => panel.getByRole("button", { name, exact: true });
  const shown = async (panel: Locator, part: string): Promise<string> => (await panel.locator(`[data-part="${part}"]`).textContent()) ?? "";

  /** Waits for the next frame, in which the bucket is drawn. */
  async function reads(panel: Locator, reading: string): Promise<void> {
    await vi.waitFor(async () => expect(await panel.locator("meter").getAttribute("aria-valuetext")).toBe(reading), { timeout: 5000 });
  }

  async function set(page: Page, fields: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(fields)) await page.locator(`input[name="${name}"]`).fill(value);
  }

  async function choose(page: Page, ...names: readonly string[]): Promise<void> {
    for (const name of names) await page.getByRole("radio", { name, exact: true }).check();
  }

  test.for([
    ["Express", "Memory"],
    ["Fastify", "Redis"],
    ["Koa", "Redis"],
  ] as const)("%s, %s: what a person sees is what the server answered", async ([framework, backend]) => {
    const { page, panels, seen, complaints } = await opened();
    const [ada, bob] = panels;
    await choose(page, framework, backend);
    await set(page, { rate: "6", period: "1h", burst: "6", cost: "1" });
    await button(ada, "Send 10").click();
    await vi.waitFor(async () => expect(await shown(ada, "refused")).toBe("4"), { timeout: 10_000 });
    expect(seen).toHaveLength(10);
    expect(await shown(ada, "admitted")).toBe(String(seen.filter(({ status }) => status === 200).length));

    // One at a time, so that the last response is the last one that arrived.
    await button(ada, "Send 1").click();
    await vi.waitFor(async () => expect(await shown(ada, "refused")).toBe("5"), { timeout: 10_000 });
    const { status, headers, decision } = seen.at(-1)!;
    const response = (await shown(ada, "response")).split("\n");
    expect(response[0]).toBe(`HTTP/1.1 ${status} Too Many Requests`);
    for (const name of ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after", "ratelimit", "ratelimit-policy"])
      expect(response).toContain(`${name}: ${headers[name]}`);
    expect(await shown(ada, "took")).toMatch(/^\d+(\.\d)? ms$/);
    expect(await shown(ada, "where")).toBe(
      `${framework} in process ${decision.pid}, buckets in ${backend === "Memory" ? "memory" : backend}`,
    );
    await reads(ada, `${decision.remaining} of 6 tokens`);
    expect(await shown(ada, "countdown")).toMatch(new RegExp(`^Retry-After: ${headers["retry-after"]} has (9|10) min \\d+ s left`));

    // The other client has its own bucket, in which a request of cost 2 leaves 4 of 6.
    await set(page, { cost: "2" });
    await button(bob, "Send 1").click();
    await vi.waitFor(async () => expect(await shown(bob, "admitted")).toBe("1"), { timeout: 10_000 });
    await reads(bob, `${seen.at(-1)!.decision.remaining} of 6 tokens`);
    expect(seen.at(-1)!.decision.remaining).toBe(4);
    expect(complaints).toEqual([]);
  });

  test("the bucket fills at its exact rate, and a request succeeds when Retry-After has counted down", async () => {
    const { page, panels, seen, complaints } = await opened();
    const [ada] = panels;
    await set(page, { rate: "1", period: "2s", burst: "1" });
    await button(ada, "Send 1").click();
    await button(ada, "Send 1").click();
    await vi.waitFor(async () => expect(await shown(ada, "refused")).toBe("1"), { timeout: 10_000 });

    // The level rises by half a token a second. Both readings of a sample are made in one turn, so they belong together.
    const samples: [now: number, tokens: number][] = [];
    for (let i = 0; i < 6; i++) {
      samples.push(
        await page.evaluate(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
          const water = document.querySelector('[data-part="water"]').getAttribute("transform");
          done([performance.now(), (166 - Number(/ ([\\d.]+)\\)/.exec(water)[1])) / 152]);
        })))`),
      );
      await page.waitForTimeout(100);
    }
    const [[start, from], [end, to]] = [samples[0]!, samples.at(-1)!];
    expect((to - from) / (end - start)).toBeCloseTo(0.0005, 4);

    await vi.waitFor(async () => expect(await shown(ada, "countdown")).toContain("is over"), { timeout: 10_000, interval: 10 });
    await button(ada, "Send 1").click();
    await vi.waitFor(() => expect(seen).toHaveLength(3), { timeout: 10_000 });
    expect(seen.map(({ status }) => status)).toEqual([200, 429, 200]);
    expect(complaints).toEqual([]);
  });

  test("a response without a decision ends the countdown of the one before", async () => {
    const { page, panels, seen } = await opened();
    const [ada] = panels;
    await set(page, { rate: "1", period: "1h", burst: "1" });
    for (const failure of ["answers 500", "does not answer"]) {
      await button(ada, "Send 10").click();
      await vi.waitFor(async () => expect(await shown(ada, "countdown")).toMatch(/^Retry-After: \d+ has /), { timeout: 10_000 });
      await vi.waitFor(() => expect(seen.length % 10).toBe(0), { timeout: 10_000 });
      await page.route(/\/play\?/, (route) =>
        failure === "does not answer"
          ? route.abort()
          : route.fulfill({ status: 500, headers: { "access-control-allow-origin": "*", "retry-after": "9" } }),
      );
      await button(ada, "Send 1").click();
      await vi.waitFor(async () => expect(await shown(ada, "response")).toMatch(/^(HTTP\/1\.1 500 |The server did not answer)/), {
        timeout: 10_000,
      });
      await vi.waitFor(async () => expect(await shown(ada, "countdown")).toBe(""), { timeout: 5000 });
      expect(await ada.locator('[data-part="response"]').getAttribute("class")).not.toContain("refusal");
      await page.unroute(/\/play\?/);
    }
  });

  test("a blocked client sees for how long, although its bucket fills sooner", async () => {
    const { page, panels, seen, complaints } = await opened();
    const [ada] = panels;
    await set(page, { rate: "1", period: "1s", burst: "1", block: "1m" });
    await button(ada, "Send 10").click();
    await vi.waitFor(async () => expect(await shown(ada, "refused")).toBe("9"), { timeout: 10_000 });
    await page.waitForTimeout(1100); // the bucket is full again
    await button(ada, "Send 1").click();
    await vi.waitFor(async () => expect(await shown(ada, "refused")).toBe("10"), { timeout: 10_000 });
    const { status, headers } = seen.at(-1)!;
    expect(status).toBe(429);
    expect(Number(headers["retry-after"])).toBeGreaterThan(40);
    expect(await shown(ada, "next")).toMatch(/^Blocked: next request admitted in \d\d\.\d s$/);
    await reads(ada, "0 of 1 tokens");
    expect(complaints).toEqual([]);
  });

  test("two processes share the bucket that both panels show, and each has its own in memory", async () => {
    const { page, panels, seen } = await opened();
    const [first, second] = panels;
    await choose(page, "Two processes");
    await set(page, { rate: "8", period: "1h", burst: "8" });
    const readings = (): Promise<(string | null)[]> =>
      Promise.all(panels.map((panel) => panel.locator("meter").getAttribute("aria-valuetext")));
    for (const [i, panel] of [first, second, second].entries()) {
      await button(panel, "Send 1").click();
      await vi.waitFor(() => expect(seen).toHaveLength(i + 1), { timeout: 10_000 });
    }
    await vi.waitFor(async () => expect(await readings()).toEqual(["5 of 8 tokens", "5 of 8 tokens"]), { timeout: 5000 });
    expect(new Set(seen.map(({ decision }) => decision.pid)).size).toBe(2);

    await choose(page, "Memory");
    await button(first, "Send 1").click();
    await vi.waitFor(async () => expect(await readings()).toEqual(["7 of 8 tokens", "8 of 8 tokens"]), { timeout: 5000 });
  });

  // Chromium and three processes share the cores with other tests. Decisions that the library makes late are late every time.
  test("Freeze, Resume, Kill and Restart: decisions turn local within 150 ms, and come back", { retry: 2 }, async () => {
    const { page, panels, seen, complaints } = await opened();
    await choose(page, "Two processes");
    await set(page, { rate: "100", period: "10s", burst: "100" });
    // A server is in use when its Redis fails. The first request that a process ever answers also loads and compiles code.
    for (const panel of panels) await button(panel, "Send 1").click();
    await vi.waitFor(() => expect(seen).toHaveLength(2), { timeout: 10_000 });
    // Requests meet the fault before the page hears that Redis has stopped, and count all the same.
    await page.route(/redis\/(freeze|kill)$/, async (route) => {
      const response = await route.fetch();
      await sleep(600);
      await route.fulfill({ response });
    });
    const note = (): Promise<string | null> => page.locator('[data-part="redis-note"]').textContent();
    for (const [stop, start, state] of [
      ["Freeze", "Resume", "frozen"],
      ["Kill", "Restart", "killed"],
    ] as const) {
      // From the click on: the requests that meet the fault are the slowest.
      const from = seen.length;
      await button(page, stop).click();
      await vi.waitFor(async () => expect(await shown(panels[0], "decided-by")).toBe("this process: Redis is out"), {
        timeout: 10_000,
      });
      await vi.waitFor(async () => expect(await page.locator('[data-part="redis-state"]').textContent()).toBe(state), { timeout: 5000 });
      const turned = seen.length;
      await vi.waitFor(() => expect(seen.length).toBeGreaterThan(turned + 16), { timeout: 20_000 });
      const local = seen.slice(from).flatMap(({ decision }) => (decision.source === "local" ? [decision] : []));
      expect(new Set(seen.slice(turned).map(({ decision }) => decision.source))).toEqual(new Set(["local"]));
      expect(local.length).toBeGreaterThan(16);
      // On a busy machine the processes themselves may be late once.
      expect(
        local
          .map(({ tookMs }) => tookMs)
          .sort((a, b) => a - b)
          .at(-2),
      ).toBeLessThan(150);
      // The note has counted every one of them, and the slowest too.
      await vi.waitFor(async () => {
        const [, made, slowest] = /the processes made (\d+) without Redis\. The slowest took (\d+) ms/.exec((await note()) ?? "") ?? [];
        const took = seen.slice(from).flatMap(({ decision }) => (decision.source === "local" ? [decision.tookMs] : []));
        expect(Number(made)).toBe(took.length);
        expect(Number(slowest)).toBeGreaterThanOrEqual(Math.ceil(Math.max(...took)));
      });
      // Each process grants its half.
      expect(await shown(panels[0], "size")).toBe("of 50, its share");
      // A screen reader hears it once.
      const said = page.locator('[data-part="redis-announcer"]');
      await vi.waitFor(async () => expect(await said.textContent()).toMatch(/^Redis (froze|was killed)\. Of \d+ decisions? since/), {
        timeout: 5000,
      });
      await page.screenshot({ path: join(screenshots, `${state}.png`), fullPage: true });

      await button(page, start).click();
      await vi.waitFor(async () => expect(await note()).toMatch(/It decided again after \d+ ms/), { timeout: 20_000 });
      await vi.waitFor(async () => expect(await shown(panels[1], "decided-by")).toBe("Redis"), { timeout: 20_000 });
      await vi.waitFor(async () => expect(await shown(panels[1], "size")).toBe("of 100 tokens"), { timeout: 5000 });
    }
    expect(complaints).toEqual([]);
  });

  test("the keyboard reaches and works everything, and a held key sends until it is released", async () => {
    const { page, panels, seen, complaints } = await opened();
    const focused = (): Promise<string> => page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()");
    const stops: string[] = [];
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      stops.push(await focused());
      if (stops.at(-1) === "Hold to send") break;
    }
    expect(stops).toEqual([
      "Skip to the buckets",
      ...["framework", "backend", "show", "rate", "period", "burst", "cost", "block"],
      ...["Freeze", "Kill", "Restart", "Send 1", "Send 10", "Hold to send"],
    ]);
    await page.keyboard.down("Space");
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(5), { timeout: 10_000 });
    await page.keyboard.up("Space");
    await page.waitForTimeout(500);
    const sent = seen.length;
    await page.waitForTimeout(300);
    expect(seen).toHaveLength(sent);

    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await button(panels[0], "Steady").getAttribute("aria-pressed")).toBe("true");
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(sent + 2), { timeout: 10_000 });
    await page.keyboard.press("Enter");
    expect(await button(panels[0], "Steady").getAttribute("aria-pressed")).toBe("false");
    // A screen reader hears how it goes.
    await vi.waitFor(async () =>
      expect(await page.locator('[aria-live="polite"]').textContent()).toMatch(/^Client ada: \d+ admitted, \d+ refused\.$/),
    );
    expect(complaints).toEqual([]);
  });

  test("a limit that core rejects is reported where it was typed, and the last valid one stays in use", async () => {
    const { page, panels, seen, complaints } = await opened();
    await set(page, { rate: "0.5" });
    expect(await page.locator('[role="alert"]').textContent()).toMatch(
      /^Expected `rate` to be a positive integer, got 0.5: .*\. The last valid limit is still in use\.$/,
    );
    await button(panels[0], "Send 1").click();
    await vi.waitFor(() => expect(seen).toHaveLength(1), { timeout: 10_000 });
    expect(seen[0]!.headers["x-ratelimit-limit"]).toBe("10");
    // Whatever else is chosen works with that limit.
    await choose(page, "Koa", "Memory", "Two processes");
    expect(await shown(panels[0], "where")).toMatch(/^Koa in process \d+, buckets in memory$/);
    expect(await page.locator('[data-part="sharing"]').textContent()).toMatch(/^Each process has a bucket of its own/);
    for (const panel of panels) await button(panel, "Send 1").click();
    await vi.waitFor(() => expect(seen).toHaveLength(3), { timeout: 10_000 });
    expect(seen.slice(1).map(({ headers }) => headers["x-ratelimit-remaining"])).toEqual(["9", "9"]);
    expect(await page.locator('[role="alert"]').textContent()).toMatch(/The last valid limit is still in use\.$/);
    await set(page, { rate: "5" });
    expect(await page.locator('[role="alert"]').textContent()).toBe("");
    expect(complaints).toEqual([]);
  });

  test.for([
    { colorScheme: "light", width: 1280 },
    { colorScheme: "dark", width: 1280 },
    { colorScheme: "light", width: 360 },
    { colorScheme: "dark", width: 360 },
    { colorScheme: "light", width: 768 },
    { colorScheme: "dark", width: 768 },
  ] as const)("$colorScheme, $width px wide: fits, and axe finds nothing", async (options) => {
    const { page, panels, complaints } = await opened(options);
    await set(page, { rate: "10", period: "20s", burst: "15" });
    await button(panels[0], "Send 10").click();
    await button(panels[0], "Send 10").click();
    await button(panels[1], "Steady").click();
    await page.waitForTimeout(1500);
    await button(page, "Freeze").click();
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(screenshots, `${options.colorScheme}-${options.width}.png`), fullPage: true });
    expect(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")).toBe(0);
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>("axe.run()");
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
