import { randomOf } from "@ratelimit/testbed/random";

/** The one limit of all loads, the lease of its tokens, and the number of processes that share it. */
export const limit = { rate: 1000, period: 1, burst: 1000 } as const;
export const lease = "200ms";
export const processes = 8;

/** The calls of one process: a Poisson process, which may pause. */
export interface Traffic {
  /** Calls per second, while it does not pause. */
  readonly perSecond: number;
  readonly seed: number;
  /** The seed of its pauses. Processes with the same one pause together. Without it, there are no pauses. */
  readonly pauses?: number;
}

/** What all processes do together, and what leases must achieve. */
export interface LeaseLoad {
  readonly name: string;
  /** The traffic of each process. */
  readonly traffic: (seed: number) => readonly Traffic[];
  /** The most calls of Redis per decision. */
  readonly calls: number;
  /** The least that must be admitted, in percent of what one exact bucket would have admitted. */
  readonly admitted: number;
  /** Whether no process pauses. After a pause, the first calls have to wait for a lease. */
  readonly isSteady: boolean;
}

/** The shortest and the longest pause, in ms. The times between pauses are as long. */
const pausesMs = [100, 1000] as const;

export const loads = {
  half: { name: "0.5 × the limit", traffic: (seed) => evenly(0.5, seed), calls: 0.1, admitted: 99.5, isSteady: true },
  double: { name: "2 × the limit", traffic: (seed) => evenly(2, seed), calls: 0.03, admitted: 99.5, isSteady: true },
  twenty: { name: "20 × the limit", traffic: (seed) => evenly(20, seed), calls: 0.005, admitted: 99.5, isSteady: true },
  uneven: { name: "2 × the limit, 90 % of it in one process", traffic: unevenly, calls: 0.03, admitted: 99.5, isSteady: true },
  pausing: {
    name: "on and off, each process by itself",
    traffic: (seed) => evenly(4, seed).map((traffic) => ({ ...traffic, pauses: traffic.seed + 1000 })),
    calls: 0.2,
    admitted: 97,
    isSteady: false,
  },
  together: {
    name: "on and off, all processes together",
    traffic: (seed) => evenly(4, seed).map((traffic) => ({ ...traffic, pauses: seed + 1000 })),
    calls: 0.2,
    admitted: 97,
    isSteady: false,
  },
} as const satisfies Record<string, LeaseLoad>;

export type LoadId = keyof typeof loads;

function evenly(times: number, seed: number): Traffic[] {
  return Array.from({ length: processes }, (_, i) => ({ perSecond: (times * limit.rate) / processes, seed: seed + i }));
}

function unevenly(seed: number): Traffic[] {
  const total = 2 * limit.rate;
  return Array.from({ length: processes }, (_, i) => ({
    perSecond: i === 0 ? 0.9 * total : (0.1 * total) / (processes - 1),
    seed: seed + i,
  }));
}

/** Draws the times of a process's calls, in ms since the start. They do not end. */
export function* callTimes({ perSecond, seed, pauses }: Traffic): Generator<number, never> {
  const random = randomOf(seed);
  const drawn = pauses === undefined ? undefined : randomOf(pauses);
  const draw = (): number => (drawn === undefined ? Number.POSITIVE_INFINITY : pausesMs[0] + drawn() * (pausesMs[1] - pausesMs[0]));
  let [at, pauseAt] = [0, draw()];
  for (;;) {
    at += (-Math.log(1 - random()) * 1000) / perSecond;
    while (at >= pauseAt) {
      const pause = draw();
      at += pause;
      pauseAt += pause + draw();
    }
    yield at;
  }
}
