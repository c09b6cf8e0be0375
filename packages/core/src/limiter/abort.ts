const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when `signal` is aborted. The returned function cancels that.
 *
 * Thousands of calls may wait on one signal that lives as long as the process. They share one listener, so that Node does not warn of a
 * leak, and the last one removes it.
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
