import { performance } from "node:perf_hooks";

/** Returns a function that returns true at most once every `ms` milliseconds. */
export function atMostEvery(ms: number): () => boolean {
  let next = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now < next) return false;
    next = now + ms;
    return true;
  };
}
