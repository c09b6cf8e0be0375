/** How the page writes figures. */

/** A wait: `2.4 s`, `3 min 20 s`. */
export function wait(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return "never";
  // Rounded up, so that it reads 0 only when the wait is over.
  const tenths = Math.ceil(ms / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.ceil(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${seconds % 60} s`;
}

/** Tokens with the part that has flowed back: `7.4`. Rounded down, so that a token shows only when it is there. */
export function tokens(count: number): string {
  return (Math.floor(count * 10 + 1e-9) / 10).toFixed(1);
}

export function ms(duration: number): string {
  return duration < 10 ? `${duration.toFixed(1)} ms` : `${Math.round(duration)} ms`;
}

/** Who decided, for a person. */
export function decidedBy(source: string, backend: string): string {
  if (source === "local") return `this process: ${backend} is out`;
  if (source === "deny-cache") return `this process: it remembers a refusal by ${backend}`;
  return backend === "memory" ? "this process" : backend;
}
