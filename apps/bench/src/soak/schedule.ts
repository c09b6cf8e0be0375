import { randomOf } from "@ratelimit/testbed/random";

/** What happens to the master. */
export type FailoverKind = "killed" | "killed, its replica 0.8 s behind" | "frozen";

/** A failover that the seed has chosen. */
export interface PlannedFailover {
  readonly kind: FailoverKind;
  /** How long to wait before it, once the previous one is over. */
  readonly waitMs: number;
  /** How long the old master stays away after the new one has taken over. It returns as a replica. */
  readonly awayMs: number;
}

const kinds: readonly FailoverKind[] = ["killed", "killed", "killed, its replica 0.8 s behind", "frozen"];

/** Chooses one failover after the other, the same ones for the same seed. */
export function* failovers(
  seed: number,
  { leastWaitMs, mostWaitMs }: { leastWaitMs: number; mostWaitMs: number },
): Generator<PlannedFailover, never> {
  const random = randomOf(seed);
  const between = (least: number, most: number): number => Math.round(least + random() * (most - least));
  for (;;) {
    const kind = kinds[Math.floor(random() * kinds.length)] as FailoverKind;
    yield { kind, waitMs: between(leastWaitMs, mostWaitMs), awayMs: between(500, 6000) };
  }
}
