/** The errors page as this package ships it, a copy of docs/errors.md. Replace it with a URL once the repository has an address. */
const errorsPage = "@ratelimit/core/errors.md";
const warned = new Set<string>();

/** Warns the operator about something suspicious. Every code has a heading on the errors page. */
export function warn(code: string, message: string): void {
  process.emitWarning(message, { type: "RateLimitWarning", code, detail: `See ${errorsPage}#${code.toLowerCase()}` });
}

/** Warns once per process for each code and `subject`. */
export function warnOnce(code: string, message: string, subject: string = ""): void {
  const warning = `${code} ${subject}`;
  if (warned.has(warning)) return;
  warned.add(warning);
  warn(code, message);
}
