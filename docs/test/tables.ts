import { MemoryBackend } from "@ratelimit/backend-memory";
import { ManualClock, type Policy, type PolicyOptions, RateLimiter, type RateLimitResult } from "@ratelimit/core";
import { type HeaderMode, rateLimitHeaders } from "@ratelimit/core/http";

/** 2026-11-24T12:00:00Z. */
const noon = 1_795_521_600;

/** What the `text` blocks of the pages say, worked out anew, by the name in their info string. */
export const tables: Readonly<Record<string, () => Promise<string>>> = {
  ...Object.fromEntries((["legacy", "draft-6", "draft-7", "draft-8"] as const).map((mode) => [mode, () => oneLimit(mode)])),
  "several-limits": severalLimits,
};

/** 100 per minute with a burst of 150: what the calls are told that leave so much. */
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

/** The last of some calls of these costs at one moment, noon. */
async function decided(policy: PolicyOptions, ...costs: readonly number[]): Promise<Decided> {
  const limiter = new RateLimiter({ ...policy, backend: new MemoryBackend({ clock: new ManualClock() }) });
  let result = await limiter.peek("key");
  for (const cost of costs) result = await limiter.check("key", { cost });
  return { policy: limiter.policy, result: { ...result, resetAt: noon + result.resetAfter } };
}

/** Fields in rows, decisions in columns. */
function columns(mode: HeaderMode, told: Readonly<Record<string, Decided>>): string {
  const fields = Object.entries(told).map(([title, { result, policy }]) => ({ title, values: rateLimitHeaders(result, policy, mode) }));
  const names = [...new Set(fields.flatMap(({ values }) => Object.keys(values)))];
  const cells = [
    [mode, ...names.map((name) => `${name}:`)],
    ...fields.map(({ title, values }) => [title, ...names.map((name) => values[name] ?? "")]),
  ];
  const widths = cells.map((column) => Math.max(...column.map((cell) => cell.length)));
  const rows = ["", ...names].map((_, row) => cells.map((column, i) => (column[row] as string).padEnd(widths[i] as number)).join("  "));
  return rows.map((row) => row.trimEnd()).join("\n");
}
