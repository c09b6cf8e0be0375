const pages = "https://github.com/ratelimit/ratelimit/blob/main/docs/errors.md";
const told = new Set<string>();

/** Tells the operator of something doubtful; every code has a heading in docs/errors.md. */
export function warn(code: string, message: string): void {
  process.emitWarning(message, { type: "RateLimitWarning", code, detail: `See ${pages}#${code.toLowerCase()}` });
}

/** Tells it once per process, code and `subject`. */
export function warnOnce(code: string, message: string, subject: string = ""): void {
  const warning = `${code} ${subject}`;
  if (told.has(warning)) return;
  told.add(warning);
  warn(code, message);
}
