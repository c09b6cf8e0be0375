import { definePolicy } from "@ratelimit/core";
import { expect, onTestFinished, test } from "vitest";
import { LogBuckets } from "../src/replay/buckets.ts";
import { ClientTable } from "../src/replay/client-table.ts";
import { Tally } from "../src/replay/tally.ts";
import { noon, seeded } from "./support/log.ts";

test("a client table numbers every key once, however many there are", () => {
  const table = new ClientTable();
  const keys = Array.from({ length: 200_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  for (const pass of [1, 2])
    expect(
      keys.every((key, i) => table.numberOf(key) === i),
      `pass ${pass}`,
    ).toBe(true);
  expect(table.size).toBe(keys.length);
  expect(table.numberOf("another")).toBe(keys.length);
});

test("the clients that were refused most keep their names, even if more were refused than are named", () => {
  const tally = new Tally();
  const refuse = (client: number, ms: number): void => tally.add(client, `client-${client}`, ms);
  const random = seeded(11);
  const counts = new Map<number, number>();
  const firsts = new Map<number, number>();
  for (let i = 0; i < 400_000; i++) {
    // Many clients are refused once or twice. Some of the busy ones come early, and some late, after they have lost their names.
    const client = i % 8 === 0 ? Math.floor(random() * 30) + (i < 200_000 ? 0 : 20) : 100 + Math.floor(random() * 180_000);
    const ms = noon + i * 1000;
    refuse(client, ms);
    counts.set(client, (counts.get(client) ?? 0) + 1);
    if (!firsts.has(client)) firsts.set(client, ms);
  }
  const expected = [...counts].sort(([a, x], [b, y]) => y - x || a - b).slice(0, 50);
  expect(tally).toMatchObject({ refused: 400_000, refusedClients: counts.size });
  expect(counts.size).toBeGreaterThan(100_000);
  expect(tally.top(50, () => 0).map(({ key, refused, first }) => [key, refused, first])).toEqual(
    expected.map(([client, refused]) => [`client-${client}`, refused, firsts.get(client)]),
  );
});

test("buckets that are full by the clock of the log are freed, and the others are kept", () => {
  const buckets = new LogBuckets([definePolicy({ rate: 1, period: "1m" })], noon);
  onTestFinished(() => buckets.close());
  let most = 0;
  // A new client each 10 ms: 6,000 buckets are in use at a time.
  for (let i = 0; i < 200_000; i++) {
    buckets.moveTo(noon + i * 10);
    expect(buckets.admits(0, `client-${i}`)).toBe(true);
    buckets.sweep();
    most = Math.max(most, buckets.kept);
  }
  expect(most).toBeLessThan(13_000);
  expect(buckets.admits(0, "client-199000")).toBe(false);
  expect(buckets.admits(0, "client-190000")).toBe(true);
  expect(buckets.evictions).toBe(0);
});
