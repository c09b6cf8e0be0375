import { stripVTControlCharacters } from "node:util";
import { MemoryBackend } from "@ratelimit/backend-memory";
import { backendRequirements } from "@ratelimit/conformance";
import { ManualClock, type Policy, type PolicyOptions, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { type HeaderMode, rateLimitHeaders } from "@ratelimit/core/http";

import { brokenBackends } from "../../packages/conformance/test/broken-backends.ts";

/** 2026-11-24T12:00:00Z. */
const noon = 1_795_521_600;

/** Computes the `text` blocks of the pages, by the name in their info string. */
export const tables: Readonly<Record<string, () => Promise<string>>> = {
  ...Object.fromEntries((["legacy", "draft-6", "draft-7", "draft-8"] as const).map((mode) => [mode, () => oneLimit(mode)])),
  "several-limits": severalLimits,
  failure,
};

/** What a user of the conformance suites sees of a backend that prolongs its blocks. */
async function failure(): Promise<string> {
  const broken = brokenBackends.find(({ what }) => what === "prolongs a block with each refusal");
  const requirement = backendRequirements.find(({ name }) => name.startsWith("a policy with `block`"));
  if (broken === undefined || requirement === undefined) return "there is no such backend";
  const clock = new ManualClock();
  const message = await requirement
    .verify(() => ({ backend: new broken.Backend(clock), clock }))
    .then(
      () => "the backend was not caught",
      (error: Error) => error.message,
    );
  return stripVTControlCharacters(message).replace(/ratelimit:[\w-]+:/, "ratelimit:example:");
}

/** The headers of calls that leave various numbers of tokens, for a limit of 100 per minute with a burst of 150. */
async function oneLimit(mode: HeaderMode): Promise<string> {
  const policy = { rate: 100, period: 60, burst: 150 };
  return columns(mode, {
    "149 left": await decided(policy, 1),
    "50 left": await decided(policy, 100),
    "0 left": await decided(policy, 150),
    refused: await decided(policy, 150, 1),
  });
}

async function severalLimits(): Promise<string> {
  const first = await decided(
    {
      limits: [
        { name: "burst", rate: 100, period: 60, burst: 150 },
        { name: "daily", rate: 10_000, period: "1d" },
      ],
    },
    1,
  );
  return (["legacy", "draft-6", "draft-8"] as const).map((mode) => columns(mode, { "first request": first })).join("\n\n");
}

interface Decided {
  readonly policy: Policy;
  readonly result: RateLimitResult;
}

/** Makes a call of each of these costs at noon, and returns the last decision. */
async function decided(policy: PolicyOptions, ...costs: readonly number[]): Promise<Decided> {
  const limiter = new RateLimiter({ ...policy, backend: new MemoryBackend({ clock: new ManualClock() }) });
  let result = await limiter.peek("key");
  for (const cost of costs) result = await limiter.check("key", { cost });
  return { policy: limiter.policy, result: { ...result, resetAt: noon + result.resetAfter } };
}

/** Formats a table with a row for each header field and a column for each decision. */
function columns(mode: HeaderMode, decisions: Readonly<Record<string, Decided>>): string {
  const fields = Object.entries(decisions).map(([title, { result, policy }]) => ({
    title,
    values: rateLimitHeaders(result, policy, mode),
  }));
  const names = [...new Set(fields.flatMap(({ values }) => Object.keys(values)))];
  const cells = [
    [mode, ...names.map((name) => `${name}:`)],
    ...fields.map(({ title, values }) => [title, ...names.map((name) => values[name] ?? "")]),
  ];
  const widths = cells.map((column) => Math.max(...column.map((cell) => cell.length)));
  const rows = ["", ...names].map((_, row) => cells.map((column, i) => (column[row] as string).padEnd(widths[i] as number)).join("  "));
  return rows.map((row) => row.trimEnd()).join("\n");
}
