const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when `signal` is aborted; the returned function takes that back.
 *
 * Thousands of calls may wait on one signal that lives as long as the process. They share one listener, so Node warns of no leak, and
 * when the last of them has left nothing stays behind.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = callbacksOf.get(signal) ?? listenTo(signal);
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size === 0) forget(signal);
  };
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  callbacksOf.set(signal, callbacks);
  signal.addEventListener("abort", aborted);
  return callbacks;
}

function forget(signal: AbortSignal): void {
  callbacksOf.delete(signal);
  signal.removeEventListener("abort", aborted);
}

function aborted(event: Event): void {
  const signal = event.target as AbortSignal;
  for (const callback of callbacksOf.get(signal) ?? []) callback();
}
