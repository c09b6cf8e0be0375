import { expect, test } from "vitest";
import type { Report } from "../src/report/report.ts";
import { cli } from "./support/cli.ts";
import { at, clf, lines, noon, seeded } from "./support/log.ts";

/** Makes the program write the largest memory of its process, in KiB, to stderr when it ends. */
const peakMemory = 'data:text/javascript,process.on("exit", () => console.error("peak", process.resourceUsage().maxRSS))';

/** Lines of 240 bytes from a million clients, of which one makes every tenth request. */
function* log(bytes: number): Generator<string> {
  const random = seeded(7);
  let time = noon;
  for (let written = 0; written < bytes; ) {
    let chunk = "";
    for (let i = 0; i < 500; i++) {
      time += 8;
      const client = i % 10 === 0 ? 0 : Math.floor(random() * 1e6);
      const ip = `10.${client >> 16}.${(client >> 8) & 255}.${client & 255}`;
      chunk += `${ip} - - [${clf(time)}] "GET /api/items/${i} HTTP/1.1" 200 512 "https://example.com/shoes?page=2" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0"\n`;
    }
    written += chunk.length;
    yield chunk;
  }
}

test("a long stream of a million clients stays within 200 MB, whatever the limit keeps", { timeout: 180_000 }, async () => {
  const { code, stdout, stderr } = await cli(["replay", "-", "--limit", "100/1m:150", "--compare", "100/1d", "--json"], {
    input: log(100e6),
    flags: ["--import", peakMemory],
  });
  const report = JSON.parse(stdout) as Report;
  expect(code).toBe(0);
  expect(report).toMatchObject({ evictions: 0, lines: { bad: 0, late: 0 } });
  expect(report.requests).toBeGreaterThan(400_000);
  expect(report.clients).toBeGreaterThan(300_000);
  expect(report.policies[0]?.topKeys).toMatchObject([{ key: "10.0.0.0" }]);
  expect(megabytes(stderr)).toBeLessThan(200);
});

test("a line without an end neither fills the memory nor hides the lines after it", { timeout: 60_000 }, async () => {
  const input = [...Array<string>(200).fill("x".repeat(1_000_000)), "\n", ...lines(at("192.0.2.9", 40))];
  const { code, stdout, stderr } = await cli(["replay", "-", "--format", "combined", "--limit", "1/1m", "--json"], {
    input,
    flags: ["--import", peakMemory],
  });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ requests: 1, lines: { bad: 1 } });
  expect(megabytes(stderr)).toBeLessThan(200);
});

function megabytes(stderr: string): number {
  return Number(/^peak (\d+)$/m.exec(stderr)?.[1]) / 1024;
}
