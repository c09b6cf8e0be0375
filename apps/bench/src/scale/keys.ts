/** The length of a stored key in characters, the same for every limiter and key, so that only what a table names differs. */
export const keyLength = 32;

/** Returns a key prefix of ten characters, as long as the default one. Each subject has its own. */
export function prefixOf(subject: number): string {
  return `scale-${String(subject).padStart(3, "0")}:`;
}

/** The name of the i-th limiter. */
export function limiterName(i: number): string {
  return `limit${String(i).padStart(3, "0")}`;
}

/** The i-th key, as a program passes it to a limiter. */
export function callerKey(i: number): string {
  return `user:${String(i).padStart(8, "0")}`;
}
