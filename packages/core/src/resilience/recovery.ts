const listeners = new Set<() => void>();

/** Calls `listener` whenever a backend of this process decides again after an outage; the returned function stops that. */
export function onRecovery(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Says that a backend, or one of its servers, decides again. */
export function publishRecovery(): void {
  for (const listener of [...listeners]) listener();
}
