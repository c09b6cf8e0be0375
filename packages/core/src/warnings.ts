const pages = "https://github.com/ratelimit/ratelimit/blob/main/docs/errors.md";
const warned = new Set<string>();

/** Warns the operator about something suspicious. Every code has a heading in docs/errors.md. */
export function warn(code: string, message: string): void {
  process.emitWarning(message, { type: "RateLimitWarning", code, detail: `See ${pages}#${code.toLowerCase()}` });
}

/** Warns once per process for each code and `subject`. */
export function warnOnce(code: string, message: string, subject: string = ""): void {
  const warning = `${code} ${subject}`;
  if (warned.has(warning)) return;
  warned.add(warning);
  warn(code, message);
}
