import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { atMost, type Bench, type Goal, type Outcome } from "../bench.ts";
import { difference, digits, type Figure } from "../figure.ts";
import { column, interleave, type Samples } from "../rounds.ts";
import { type Installed, installed } from "./installed.ts";

/** The packages that each row imports. */
const subjects: Readonly<Record<string, readonly string[]>> = {
  "@ratelimit/core + backend-memory": ["@ratelimit/core", "@ratelimit/backend-memory"],
  "@ratelimit/core": ["@ratelimit/core"],
  "@ratelimit/express": ["@ratelimit/express"],
  "@ratelimit/fastify": ["@ratelimit/fastify"],
  "@ratelimit/koa": ["@ratelimit/koa"],
  "@ratelimit/backend-redis": ["@ratelimit/backend-redis"],
  "rate-limiter-flexible": ["rate-limiter-flexible"],
  "express-rate-limit": ["express-rate-limit"],
  "rate-limit-redis": ["rate-limit-redis"],
  "@fastify/rate-limit": ["@fastify/rate-limit"],
  "koa-ratelimit": ["koa-ratelimit"],
  limiter: ["limiter"],
  "@upstash/ratelimit": ["@upstash/ratelimit"],
  ioredis: ["ioredis"],
};
const ours = "@ratelimit/core + backend-memory";
const empty = "nothing";

interface Cost {
  readonly ms: number;
  readonly rssMb: number;
}

export const bench: Bench = {
  title: "Import and install",
  about:
    "A fresh process imports the built packages. Milliseconds and resident memory are what it takes beyond a process that imports only node:path. Installed size counts all files of a package and its dependencies, but no peer dependencies; for our packages, it counts the files that `npm pack` packs.",
  async run(quick) {
    const names = [empty, ...Object.keys(subjects)];
    const costs = await interleave(names, { rounds: quick ? 2 : 15 }, (name) => costOf(subjects[name] ?? ["node:path"]));
    const sizes = new Map(Object.entries(subjects).map(([name, packages]) => [name, installed(packages)]));
    return {
      tables: [
        {
          title: "What a package costs before it does anything",
          columns: ["package", "import ms", "lowest", "RSS MB", "installed kB", "dependencies"],
          rows: [...sizes].map(([name, size]) => [name, ...row(costs, name), digits(size.kb), String(size.dependencies)]),
        },
      ],
      goals: goals(costs, sizes.get(ours) as Installed),
    } satisfies Outcome;
  },
};

const run = promisify(execFile);

async function costOf(packages: readonly string[]): Promise<Cost> {
  const script = `
    const before = process.memoryUsage.rss();
    const start = performance.now();
    ${packages.map((name) => `await import(${JSON.stringify(name)});`).join(" ")}
    const ms = performance.now() - start;
    console.log(JSON.stringify({ ms, rssMb: (process.memoryUsage.rss() - before) / 2 ** 20 }));
  `;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: fileURLToPath(new URL("../", import.meta.url)),
  });
  return JSON.parse(stdout) as Cost;
}

function over(costs: Samples<Cost>, name: string, field: keyof Cost): Figure {
  const of = (subject: string): number[] => column(costs, subject, (cost) => cost[field]);
  return difference(of(name), of(empty));
}

function row(costs: Samples<Cost>, name: string): string[] {
  const ms = over(costs, name, "ms");
  return [digits(ms.value), digits(ms.low), digits(over(costs, name, "rssMb").value)];
}

function goals(costs: Samples<Cost>, size: Installed): Goal[] {
  return [
    atMost("import of core + memory", over(costs, ours, "ms").value, 20, "ms"),
    atMost("its resident memory", over(costs, ours, "rssMb").value, 3, "MB"),
    atMost("its installed size", size.kb, 250, "kB"),
    atMost("its dependencies", size.dependencies, 0, ""),
  ];
}
