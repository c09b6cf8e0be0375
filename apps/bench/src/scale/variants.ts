/** One row of a table: how many of everything, and what it keeps in flight. */
export interface Variant {
  readonly name: string;
  /** The site that it calls. */
  readonly site: SiteId;
  readonly processes: number;
  readonly limiters: number;
  readonly limits: number;
  readonly keys: number;
  /** Connections of each process, which stand for as many processes. */
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly inFlight: number;
}

/** One master, three masters, a server that is not part of a Cluster, and a master for each number of stored keys. */
export type SiteId = "one" | "three" | "plain" | `stored${number}`;

/** A table. The ratios of its rows are to its first row. */
export interface Group {
  readonly title: string;
  readonly variants: readonly [Variant, ...Variant[]];
}

const usual = { site: "one", processes: 1, limiters: 1, limits: 1, keys: 10_000, connections: 1, inFlight: 32 } as const;

function row(name: string, differs: Partial<Variant>): Variant {
  return { ...usual, name, ...differs };
}

function group(title: string, first: Variant, ...others: readonly Variant[]): Group {
  return { title, variants: [first, ...others] };
}

export const processGroup: Group = group(
  "Masters and processes",
  row("1 master, 1 process", {}),
  row("1 master, 2 processes", { processes: 2 }),
  row("1 master, 4 processes", { processes: 4 }),
  row("3 masters, 1 process", { site: "three" }),
  row("3 masters, 2 processes", { site: "three", processes: 2 }),
  row("3 masters, 4 processes", { site: "three", processes: 4 }),
);

export const limiterGroup: Group = group(
  "Limiters in a process",
  row("1 limiter", {}),
  row("10 limiters", { limiters: 10 }),
  row("100 limiters", { limiters: 100 }),
  row("1,000 limiters", { limiters: 1000 }),
  row("1 limiter, no Cluster", { site: "plain" }),
  row("1,000 limiters, no Cluster", { site: "plain", limiters: 1000 }),
);

export const limitGroup: Group = group(
  "Limits in a policy",
  row("1 limit", {}),
  row("2 limits", { limits: 2 }),
  row("4 limits", { limits: 4 }),
  row("8 limits", { limits: 8 }),
);

/** Calls that share writes, and calls that do not: from these the costs of a check and of a write follow. */
export const flightGroup: Group = group(
  "Calls in flight",
  row("32 on one connection", {}),
  row("8 on one connection", { inFlight: 8 }),
  row("1 on each of 32 connections", { connections: 32, inFlight: 1 }),
  row("1 on one connection", { inFlight: 1 }),
);

/** Returns the table of stored keys. Each number of keys has a master of its own. */
export function keyGroup(counts: readonly number[]): Group {
  const rows = counts.map((keys) => row(`${keys.toLocaleString("en-US")} keys`, { site: `stored${keys}`, keys }));
  return group("Keys on one master", ...(rows as [Variant, ...Variant[]]));
}
