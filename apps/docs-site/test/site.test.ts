import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { findChromium, makeFolder } from "@ratelimit/testbed";
import type { AxeResults } from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { readPages } from "../src/pages.ts";
import { packages } from "../src/repository.ts";
import { base, buildSite, filesIn, serveSite } from "./support/build.ts";

const owned = await makeFolder();
const folder = owned.path;

beforeAll(() => buildSite(folder), 300_000);
afterAll(() => owned.remove());

test("has every page, and every entry point in the reference", () => {
  const files = filesIn(folder);
  const targets = [...readPages().map(({ target }) => target), ...packages.flatMap(({ doors }) => doors.map(({ page }) => page))];
  expect(files).toEqual(expect.arrayContaining([...targets, "index.md", "playground.md"].map((target) => target.replace(/md$/, "html"))));
});

test("all links lead to an existing page and heading", () => {
  const html = new Map(
    filesIn(folder)
      .filter((file) => file.endsWith(".html"))
      .map((file) => [file, readFileSync(join(folder, file), "utf8")] as const),
  );
  const files = new Set(filesIn(folder));
  const ids = new Map(
    [...html].map(([file, text]) => [file, new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => decoded(id)))]),
  );
  const broken: string[] = [];
  let checked = 0;
  for (const [file, text] of html) {
    for (const [, link = ""] of text.matchAll(/ (?:href|src)="([^"]+)"/g)) {
      const { origin, pathname, hash } = new URL(decoded(link), `http://site${base}${file}`);
      if (origin !== "http://site") continue;
      checked++;
      const path = decodeURIComponent(pathname).replace(/\/$/, "/index.html");
      const target = path.slice(base.length);
      const anchor = decodeURIComponent(hash.slice(1));
      const isThere =
        path.startsWith(base) && files.has(target) && (anchor === "" || anchor === "VPContent" || ids.get(target)?.has(anchor));
      if (!isThere) broken.push(`${file} -> ${link}`);
    }
  }
  expect(broken).toEqual([]);
  expect(checked).toBeGreaterThan(1000);
});

test("loads nothing from other hosts", () => {
  const loaded = filesIn(folder)
    .filter((file) => /\.(html|css)$/.test(file))
    .flatMap((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      return [...text.matchAll(/<(?:script|img|iframe|link)[^>]* (?:src|href)="(https?:[^"]*)"|url\(["']?(https?:[^)]*)\)/g)].map(
        ([whole]) => whole,
      );
    });
  expect(loaded).toEqual([]);
});

test("the search index has every page", () => {
  const index = filesIn(folder).find((file) => file.includes("localSearchIndex")) ?? "";
  const text = readFileSync(join(folder, index), "utf8");
  const missing = readPages().filter(({ target }) => !text.includes(`"/${target.replace(/index\.md$/, "").replace(/md$/, "html")}#`));
  expect(missing.map(({ target }) => target)).toEqual([]);
});

function decoded(attribute: string): string {
  return attribute
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

interface Look {
  readonly colorScheme: "light" | "dark";
  readonly width: number;
}

const executablePath = findChromium();

describe.skipIf(executablePath === undefined)("in Chromium (skipped if there is none: install chromium, or name it in CHROMIUM)", () => {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serveSite>>;
  beforeAll(async () => {
    server = await serveSite(folder);
    browser = await chromium.launch({ executablePath: executablePath as string, args: ["--no-sandbox"] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function opened(path: string, { colorScheme, width }: Look = { colorScheme: "light", width: 1280 }): Promise<Page> {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 }, reducedMotion: "reduce" });
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(server.url)) complaints.push(request.url());
    });
    onTestFinished(async () => {
      await page.close();
      expect(complaints).toEqual([]);
    });
    await page.goto(server.url + path, { waitUntil: "networkidle" });
    return page;
  }

  const looks = ["", "redis.html", "reference/core/http.html", "playground.html"].flatMap((path) => [
    { path, colorScheme: "light", width: 1280 } as const,
    { path, colorScheme: "dark", width: 360 } as const,
  ]);

  test.for(looks)(
    "/$path, $colorScheme, $width px wide: fits, and axe finds nothing serious",
    { timeout: 60_000 },
    async ({ path, ...look }) => {
      const page = await opened(path, look);
      await page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core/axe.min.js") });
      const found = await page.evaluate(() => (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run());
      const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`)).toEqual([]);
      expect(found.passes.length).toBeGreaterThan(20);
      const overflows = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
      expect(overflows).toBe(false);
    },
  );

  test("a search finds a heading of a page and a name of the reference", { timeout: 60_000 }, async () => {
    const page = await opened("");
    await page.getByRole("button", { name: "Search" }).first().click();
    const hits = page.locator(".VPLocalSearchBox .result");
    await page.locator(".VPLocalSearchBox input").fill("two masters");
    await hits.filter({ hasText: "Two masters" }).first().waitFor();
    await page.locator(".VPLocalSearchBox input").fill("isRateLimitExceeded");
    await hits.filter({ hasText: "isRateLimitExceeded" }).first().click();
    await page.waitForURL(/reference\/core\/api(\.html)?#isratelimitexceeded/);
    await page.getByRole("heading", { name: "isRateLimitExceeded()" }).waitFor();
  });

  test("the playground decides as core does, and its bucket fills again", { timeout: 60_000 }, async () => {
    const page = await opened("playground.html");
    await page.getByLabel("Period").fill("5s");
    await page.getByLabel("Burst").fill("3");
    await page.getByLabel("Burst").blur();
    const meter = page.getByRole("meter");
    const tokens = async (): Promise<number> => Number(await meter.getAttribute("data-tokens"));
    await expect.poll(tokens).toBe(3);
    await page.getByRole("button", { name: "Send ten" }).click();
    await page.getByText("3 admitted").waitFor();
    await page.getByText("7 refused").waitFor();
    expect(await page.getByRole("status").textContent()).toMatch(/^Refused\. Retry after [\d.]+ s\.$/);
    expect(await page.getByLabel("The response").textContent()).toMatch(/429 Too Many Requests\nX-RateLimit-Limit: 1\n/);
    const before = await tokens();
    await expect.poll(tokens, { timeout: 10_000 }).toBeGreaterThan(before + 0.2);
    await page.getByLabel("Rate").fill("0.5");
    await expect.poll(() => page.getByRole("status").textContent()).toContain("Expected `rate`");
  });
});
