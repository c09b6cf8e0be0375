const listeners = new Set<() => void>();

/** Calls `listener` whenever a backend in this process recovers from an outage. The returned function stops that. */
export function onRecovery(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Announces that a backend, or one of its servers, has recovered. */
export function publishRecovery(): void {
  for (const listener of [...listeners]) listener();
}
